"""Encoders and decoders, made once. JSON on topics (readable with any tool), msgpack in changelogs (small)."""

import msgspec

from app.model.alert import DialogView
from app.model.catalogue import ChangeSet, Import, Product
from app.model.chat import ChatRecord
from app.model.event import Event, Glance, Hint
from app.model.journal import DeadLetter, JournalLine, Told
from app.model.link import Link
from app.model.receipt import Receipt
from app.model.trigger import Outgoing

encode_json = msgspec.json.Encoder().encode
decode_event = msgspec.json.Decoder(Event).decode
decode_glance = msgspec.json.Decoder(Glance).decode
decode_hint = msgspec.json.Decoder(Hint).decode
decode_chat = msgspec.json.Decoder(ChatRecord).decode
decode_dialog_view = msgspec.json.Decoder(DialogView).decode
decode_product = msgspec.json.Decoder(Product).decode
decode_import = msgspec.json.Decoder(Import).decode
decode_changes = msgspec.json.Decoder(ChangeSet).decode
decode_receipt = msgspec.json.Decoder(Receipt).decode
decode_link = msgspec.json.Decoder(Link).decode
decode_outgoing = msgspec.json.Decoder(Outgoing).decode
decode_journal = msgspec.json.Decoder(JournalLine).decode
decode_told = msgspec.json.Decoder(Told).decode
decode_dead_letter = msgspec.json.Decoder(DeadLetter).decode
