"""The places where notebooks run; `base.Engine` is the seam. A third one would be one more file."""
