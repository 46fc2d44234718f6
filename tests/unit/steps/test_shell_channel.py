"""Replies of a kernel are noticed, whatever is sent meanwhile."""

from __future__ import annotations

import asyncio

import zmq.asyncio
from jupyter_client.session import Session

from argo_jupyter_scheduler.steps.kernel.manager import ShellChannel


def test_a_reply_that_arrives_during_a_send_is_noticed() -> None:
    session = Session(key=b"key")

    async def receive(kernel: zmq.Socket[bytes], socket: zmq.asyncio.Socket) -> object:
        socket.connect(f"tcp://127.0.0.1:{kernel.bind_to_random_port('tcp://127.0.0.1')}")
        waiting = asyncio.create_task(ShellChannel(socket, session).get_msg())
        await asyncio.sleep(0)
        session.send(kernel, "execute_reply")
        # As a send does it, this takes the sign that the reply is there, and the loop never sees it.
        while not int(zmq.Socket.shadow(socket.underlying).get(zmq.EVENTS)) & zmq.POLLIN:
            pass
        return (await asyncio.wait_for(waiting, 60))["msg_type"]

    with (
        zmq.Context() as there,
        zmq.asyncio.Context() as here,
        there.socket(zmq.DEALER) as kernel,
        here.socket(zmq.DEALER) as socket,
    ):
        assert asyncio.run(receive(kernel, socket)) == "execute_reply"
