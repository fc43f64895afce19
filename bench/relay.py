# SPDX-License-Identifier: BSD-3-Clause
"""Between a front end and a back end that both want to connect: listens for either, and carries the
messages of vhost-user with their descriptors. Frames do not pass here: they go through shared
memory."""

import contextlib
import select
import socket
import threading

BYTES, DESCRIPTORS = 65536, 16


def _listen(path):
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(path)
    made.listen()
    return made


def _carry(source, target):
    """What has come; False when it was the end."""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        data, descriptors, _, _ = socket.recv_fds(source, BYTES, DESCRIPTORS)
        if data:
            try:
                socket.send_fds(target, [data], descriptors)
            finally:
                for descriptor in descriptors:
                    socket.close(descriptor)
            return True
    return False


class Relay:
    """Of one guest: one front end after the other; each gets a connection of the back end's, which
    connects again when one has ended."""

    def __init__(self, front_path, back_path):
        self._front, self._back = _listen(front_path), _listen(back_path)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        # Until close().
        with contextlib.suppress(OSError):
            while True:
                with self._front.accept()[0] as front, self._back.accept()[0] as back:
                    alive = True
                    while alive:
                        for ready in select.select([front, back], [], [])[0]:
                            alive = alive and _carry(ready, back if ready is front else front)

    def close(self):
        for listening in (self._front, self._back):
            # Wakes the one that waits in accept().
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()
