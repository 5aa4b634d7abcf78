"""A file system of a test's own, to fill up."""

import ctypes
import os

from harness import Skip, directory, libc


def tiny_disk(size):
    """A directory on a file system of its own, gone with this process. Returns it and a function
    that gives it another size."""
    path = directory()
    if os.geteuid() != 0:
        raise Skip("mounting takes root")
    if libc.unshare(0x00020000) != 0:  # CLONE_NEWNS: nobody else sees the mount
        raise Skip("no mount namespace: " + os.strerror(ctypes.get_errno()))
    libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None)  # MS_REC | MS_PRIVATE
    if libc.mount(b"none", path.encode(), b"tmpfs", 0, b"size=%d" % size) != 0:
        raise Skip("no tmpfs: " + os.strerror(ctypes.get_errno()))

    def resize(size):
        assert libc.mount(b"none", path.encode(), b"tmpfs", 0x20, b"size=%d" % size) == 0  # MS_REMOUNT

    return path, resize


def gone(path):
    """Takes it away again."""
    libc.umount2(path.encode(), 2)  # MNT_DETACH
