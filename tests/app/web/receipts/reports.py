"""Mails at a bounce address, in the shapes that real servers send. `TOKEN` stands for the receipt's token."""

ORIGINAL = """Return-Path: <bounces@shop.example>
From: Shop <shop@shop.example>
To: Anna <anna@mail.example>
Subject: =?utf-8?B?0JrQvtGA0LfQuNC90LA=?=
Message-ID: <ab12.0@shop.example>
X-Boomerang-Scenario: abandoned_cart
X-Boomerang-Receipt: TOKEN
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="=_x"
"""

POSTFIX = (
    """Return-Path: <>
Received: by relay.example (Postfix) id 4T2Kq01XYz; Wed, 25 Nov 2026 10:00:00 +0300 (MSK)
Date: Wed, 25 Nov 2026 10:00:00 +0300 (MSK)
From: MAILER-DAEMON@relay.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: bounces@shop.example
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4T2Kpz0abc.1700000000/relay.example"
Content-Transfer-Encoding: 8bit
Message-Id: <20261125070000.4T2Kq01XYz@relay.example>

This is a MIME-encapsulated message.

--4T2Kpz0abc.1700000000/relay.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host relay.example.

<anna@mail.example>: host mx.mail.example[192.0.2.7] said: 550 5.1.1
    <anna@mail.example>: Recipient address rejected: User unknown (in reply to
    RCPT TO command)

--4T2Kpz0abc.1700000000/relay.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example
X-Postfix-Queue-ID: 4T2Kpz0abc
X-Postfix-Sender: rfc822; bounces@shop.example
Arrival-Date: Wed, 25 Nov 2026 09:59:59 +0300 (MSK)

Final-Recipient: rfc822; anna@mail.example
Original-Recipient: rfc822;anna@mail.example
Action: ACTION
Status: STATUS
Remote-MTA: dns; mx.mail.example
Diagnostic-Code: smtp; 550 5.1.1 <anna@mail.example>: Recipient address
    rejected: User unknown

--4T2Kpz0abc.1700000000/relay.example
Content-Description: Undelivered Message
Content-Type: message/rfc822
Content-Transfer-Encoding: 8bit

"""
    + ORIGINAL
    + """
--=_x
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: base64

dGV4dA==
--=_x--

--4T2Kpz0abc.1700000000/relay.example--
"""
)

HEADERS_ONLY = POSTFIX.replace(
    "Content-Description: Undelivered Message\nContent-Type: message/rfc822",
    "Content-Description: Undelivered Message Headers\nContent-Type: text/rfc822-headers",
)

EXCHANGE = (
    """From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@mail.example>
To: <bounces@shop.example>
Date: Wed, 25 Nov 2026 07:00:00 +0000
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="_7c9c0a3d-30a4-4a4b-b2f9_"
X-MS-Exchange-Message-Is-Ndr:
Content-Language: en-GB
Subject: Undeliverable: cart
Auto-Submitted: auto-replied
MIME-Version: 1.0

--_7c9c0a3d-30a4-4a4b-b2f9_
Content-Type: multipart/alternative; differences=Content-Type;
\tboundary="_inner_"

--_inner_
Content-Type: text/plain; charset="us-ascii"

Your message couldn't be delivered.

--_inner_
Content-Type: text/html; charset="us-ascii"

<p>Your message couldn't be delivered.</p>

--_inner_--

--_7c9c0a3d-30a4-4a4b-b2f9_
Content-Type: message/delivery-status

Reporting-MTA: dns;AM0PR01MB1234.eurprd01.prod.exchangelabs.com
Received-From-MTA: dns;relay.example
Arrival-Date: Wed, 25 Nov 2026 06:59:59 +0000

Original-Recipient: rfc822;anna@mail.example
Final-Recipient: rfc822;anna@mail.example
Action: ACTION
Status: STATUS
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup
X-Display-Name: anna@mail.example

--_7c9c0a3d-30a4-4a4b-b2f9_
Content-Type: message/rfc822

Received: from relay.example by AM0PR01MB1234
"""
    + ORIGINAL
    + """
--_7c9c0a3d-30a4-4a4b-b2f9_--
"""
)

ABUSE = (
    """From: <abusedesk@mail.example>
Date: Wed, 25 Nov 2026 08:00:00 +0000
Subject: FW: cart
To: <bounces@shop.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="part1_13d.2e68ed54_boundary"

--part1_13d.2e68ed54_boundary
Content-Type: text/plain; charset="US-ASCII"
Content-Transfer-Encoding: 7bit

This is an email abuse report for an email message received from IP
192.0.2.1 on Wed, 25 Nov 2026 07:00:00 +0000.

--part1_13d.2e68ed54_boundary
Content-Type: message/feedback-report

Feedback-Type: FEEDBACK
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <bounces@shop.example>
Arrival-Date: Wed, 25 Nov 2026 07:00:00 +0000
Source-IP: 192.0.2.1

--part1_13d.2e68ed54_boundary
Content-Type: message/rfc822
Content-Disposition: inline

"""
    + ORIGINAL
    + """
--part1_13d.2e68ed54_boundary--
"""
)


def filled(shape, token, *, action="failed", status="5.1.1", feedback="abuse", crlf=True):
    """The bytes of a report."""
    text = shape.replace("X-Boomerang-Receipt: TOKEN", f"X-Boomerang-Receipt: {token}")
    text = text.replace("Action: ACTION", f"Action: {action}").replace("Status: STATUS", f"Status: {status}")
    text = text.replace("Type: FEEDBACK", f"Type: {feedback}")
    return (text.replace("\n", "\r\n") if crlf else text).encode()
