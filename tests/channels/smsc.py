"""An SMSC that speaks SMPP 3.4, with a reader of its own: checks every PDU that it gets, puts pieces together, sends receipts."""

import asyncio
import struct
from contextlib import asynccontextmanager

OK, THROTTLED = 0x00, 0x58
BIND, SUBMIT, DELIVER, UNBIND, ENQUIRE = 0x09, 0x04, 0x05, 0x06, 0x15


class Reader:
    def __init__(self, body):
        self.body = body

    def text(self, most):
        text, end, self.body = self.body.partition(b"\0")
        assert end and len(text) < most, (text, most)
        return text.decode("ascii")

    def byte(self):
        value, self.body = self.body[0], self.body[1:]
        return value

    def take(self, count):
        assert len(self.body) >= count
        value, self.body = self.body[:count], self.body[count:]
        return value

    def values(self):
        found = {}
        while self.body:
            tag, length = struct.unpack(">HH", self.take(4))
            found[tag] = self.take(length)
        return found


class Smsc:
    """`status(message)` is the answer to a `submit_sm`; `fault`: "", hang_before, close_before, hang_after, close_after."""

    def __init__(self, status, fault, password):
        self.status, self.fault, self.password = status, fault, password
        self.submits, self.messages, self.errors = [], [], []
        self.delivered = asyncio.Queue()
        self.binds = self.enquiries = self.unbinds = 0
        self.bound = asyncio.Event()
        self.reached = asyncio.Event()
        self.release = asyncio.Event()
        self.writers = set()
        self._pieces = {}
        self.port = 0

    async def __call__(self, reader, writer):
        self.writers.add(writer)
        try:
            while True:
                length, command, status, sequence = struct.unpack(">IIII", await reader.readexactly(16))
                await self._on(writer, command, status, sequence, Reader(await reader.readexactly(length - 16)))
        except (asyncio.IncompleteReadError, ConnectionError, Closed, asyncio.CancelledError):
            pass
        except Exception as error:
            self.errors.append(error)
        finally:
            self.writers.discard(writer)
            writer.close()

    async def _on(self, writer, command, status, sequence, body):
        if command & 0x80000000:
            self.delivered.put_nowait((command & 0x7FFFFFFF, status, sequence))
        elif command == BIND:
            await self._bind(writer, sequence, body)
        elif command == SUBMIT:
            await self._submit(writer, sequence, body)
        elif command == ENQUIRE:
            self.enquiries += 1
            self.say(writer, ENQUIRE | 0x80000000, OK, sequence)
        else:
            assert command == UNBIND
            self.unbinds += 1
            self.say(writer, UNBIND | 0x80000000, OK, sequence)

    async def _bind(self, writer, sequence, body):
        if self.fault.endswith("before"):
            self.reached.set()
            if self.fault == "hang_before":
                await self.release.wait()
            raise Closed
        system_id, password, system_type = body.text(16), body.text(9), body.text(13)
        assert (system_id, system_type, body.byte()) == ("shop", "SALES", 0x34)
        body.take(2), body.text(41)
        assert not body.body
        self.binds += 1
        wrong = password != self.password
        self.say(writer, BIND | 0x80000000, 0x0E if wrong else OK, sequence, b"SMSC\0")
        if not wrong:
            self.bound.set()

    async def _submit(self, writer, sequence, body):
        assert body.text(6) == ""
        source = (body.byte(), body.byte(), body.text(21))
        assert (body.byte(), body.byte()) == (1, 1)
        to = body.text(21)
        assert to.isdigit()
        esm, protocol, priority = body.take(3)
        assert (protocol, priority, body.text(17), body.text(17)) == (0, 0, "", "")
        receipt, replace, coding, default, length = body.take(5)
        assert (replace, default) == (0, 0) and length <= 140 + 20 and receipt in (0, 1) and coding in (0, 8)
        octets, values = body.take(length), body.values()
        number, total, reference = 1, 1, None
        if esm & 0x40:
            assert octets[:3] == b"\x05\x00\x03"
            reference, total, number = octets[3:6]
            octets = octets[6:]
        elif 0x020C in values:
            (reference,), total, number = struct.unpack(">H", values[0x020C]), values[0x020E][0], values[0x020F][0]
        assert len(octets) <= (140 if coding == 8 else 160) - (0 if total == 1 else 6 if coding == 8 else 7)
        assert receipt == (number == total)
        self.submits.append((to, number, total))
        told = self.status(self.submits)
        if self.fault.endswith("after"):
            self._taken(source, to, coding, octets, number, total, reference)
            self.reached.set()
            if self.fault == "hang_after":
                await self.release.wait()
            raise Closed
        if told == OK:
            self._taken(source, to, coding, octets, number, total, reference)
        id_ = f"{len(self.submits):08X}" if told == OK else ""
        self.say(writer, SUBMIT | 0x80000000, told, sequence, id_.encode() + b"\0" if told == OK else b"")

    def _taken(self, source, to, coding, octets, number, total, reference):
        pieces = self._pieces.setdefault((to, reference if total > 1 else object()), {})
        pieces[number] = octets
        if len(pieces) == total:
            whole = b"".join(pieces[at] for at in range(1, total + 1))
            self.messages.append((source, to, whole.decode("utf-16-be") if coding == 8 else gsm(whole)))
            pieces.clear()

    def say(self, writer, command, status, sequence, body=b""):
        writer.write(struct.pack(">IIII", 16 + len(body), command, status, sequence) + body)

    def deliver(self, text=b"", *, receipt=True, source=b"79123456789", values=(), sequence=77, coding=0, raw=None):
        """Say something to whoever is bound."""
        body = (
            b"\0\x01\x01"
            + source
            + b"\0\x01\x01SHOP\0"
            + bytes((4 if receipt else 0, 0, 0))
            + b"\0\0"
            + bytes((0, 0, coding, 0, len(text)))
        )
        body += text + b"".join(struct.pack(">HH", tag, len(value)) + value for tag, value in values)
        for writer in self.writers:
            self.say(writer, DELIVER, OK, sequence, body if raw is None else raw)


class Closed(Exception):
    pass


def gsm(octets):
    """The text of septets, for what the tests send."""
    table = {0x00: "@", 0x02: "$", 0x11: "_", 0x0A: "\n"}
    text, escaped = "", False
    for code in octets:
        assert code < 0x80
        if escaped:
            text, escaped = text + {0x65: "€", 0x3C: "[", 0x3E: "]"}[code], False
        elif code == 0x1B:
            escaped = True
        else:
            text += table.get(code, chr(code))
    return text


@asynccontextmanager
async def smsc(status=lambda submits: OK, fault="", password="secret"):
    """A running SMSC."""
    served = Smsc(status, fault, password)
    server = await asyncio.start_server(served, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        served.release.set()
        server.close()
        for writer in list(served.writers):
            writer.close()
    if served.errors:
        raise served.errors[0]
