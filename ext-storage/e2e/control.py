# SPDX-License-Identifier: BSD-2-Clause
"""The control socket, for clients that behave otherwise than ours."""
import socket
import struct


def control(node):
    client = socket.socket(socket.AF_UNIX)
    client.connect(node.root + "/run/control.sock")
    client.settimeout(30)
    return client


def frames(*kinds_and_payloads):
    parts = iter(kinds_and_payloads)
    return b"ARCTL001" + b"".join(kind + b"\0\0\0" + struct.pack("<I", len(payload)) + payload for kind, payload in zip(parts, parts))


def read_all(client):
    data = b""
    try:
        while chunk := client.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


def last_code(data):
    return struct.unpack("<I", data[-4:])[0] if data[-12:-11] == b"X" else None
