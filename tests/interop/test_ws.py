"""The stream by a plain WebSocket client: sessions as they were recorded, and as the reference describes them."""

import base64
import hashlib
import hmac
import json
import time
import unittest
import urllib.request

import websocket

from sandbox import ADDRESS, PATIENCE

SYMBOL = "BTC/USDT"
QUANTITY = "0.001"


def now():
    return int(time.time() * 1000)


def signed(timestamp, path, key=None, secret=None):
    """The signature that the reference describes, with the secret as it is."""
    message = f"{timestamp}+{path}".encode()
    digest = hmac.new((secret or ADDRESS["secret"]).encode(), message, hashlib.sha256).digest()
    return {
        "x-auth-key": key or ADDRESS["key"],
        "x-auth-timestamp": str(timestamp),
        "x-auth-signature": base64.b64encode(digest).decode(),
    }


def rest(path, headers=None):
    request = urllib.request.Request(ADDRESS["rest"] + path, headers=headers or {})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)["data"]


def info():
    """What the exchange says of the user."""
    return rest("/api/pro/v1/info", signed(now(), "info"))


class Session:
    """One connection; keeps what it was told, and answers pings unless it is told not to."""

    def __init__(self, test, group="0", path="/api/pro/v1/stream", headers=None):
        self.deadline = time.monotonic() + PATIENCE
        self.pongs, self.told = True, []
        self.socket = websocket.create_connection(f"{ADDRESS['ws']}/{group}{path}", timeout=PATIENCE, header=headers)
        test.addCleanup(self.socket.close, timeout=PATIENCE)

    def send(self, **message):
        self.socket.send(json.dumps(message))

    def receive(self):
        """The next message."""
        self.socket.settimeout(max(self.deadline - time.monotonic(), 0.001))
        message = json.loads(self.socket.recv())
        self.told.append(message)
        if self.pongs and message["m"] == "ping":
            self.send(op="pong")
        return message

    def until(self, **wanted):
        """The next message that has these fields, those of `data` and `info` included."""
        while True:
            try:
                message = self.receive()
            except websocket.WebSocketTimeoutException:
                raise AssertionError(f"{wanted} was not told in time; the last: {self.told[-5:]}") from None
            fields = {**message, **self.inner(message, "data"), **self.inner(message, "info")}
            if all(fields.get(name) == value for name, value in wanted.items()):
                return message

    @staticmethod
    def inner(message, name):
        value = message.get(name)
        return value if isinstance(value, dict) else {}

    def ask(self, action, account=None, **args):
        """A request; all answers but those about orders and snapshots echo its id."""
        request = {"op": "req", "id": f"{action}-{now()}", "action": action, "args": args}
        self.send(**request, **({"account": account} if account else {}))
        return request["id"]


class Book:
    """A book as the reference says to keep it."""

    def __init__(self, snapshot):
        self.number = snapshot["seqnum"]
        self.sides = {side: dict(snapshot[side]) for side in ("asks", "bids")}

    def apply(self, change):
        assert change["seqnum"] == self.number + 1, f"{change['seqnum']} after {self.number}"
        self.number = change["seqnum"]
        for side, levels in self.sides.items():
            for price, size in change[side]:
                if float(size):
                    levels[price] = size
                else:
                    del levels[price]

    def same_as(self, snapshot):
        return all(dict(snapshot[side]) == levels for side, levels in self.sides.items())


class Public(unittest.TestCase):
    def test_session_as_recorded(self):
        symbols = [SYMBOL, "ETH/USDT", "DOGE/USDT"]
        session = Session(self)
        session.pongs = False
        self.assertEqual(session.receive(), {"m": "connected", "type": "unauth"})
        for kind in "depth", "trades":
            session.send(op="sub", ch=f"{kind}:{','.join(symbols)}")
        acknowledged = [session.until(m="sub") for _ in range(6)]
        channels = [f"{kind}:{symbol}" for kind in ("depth", "trades") for symbol in symbols]
        self.assertEqual(acknowledged, [{"m": "sub", "ch": channel, "code": 0} for channel in channels])
        books = {}
        for symbol in symbols:
            session.send(op="req", action="depth-snapshot", args={"symbol": symbol})
        for _ in symbols:
            snapshot = session.until(m="depth-snapshot")
            self.assertNotIn("id", snapshot)
            books[snapshot["symbol"]] = Book(snapshot["data"])
        # The first ping comes after 15 s; meanwhile the books are kept.
        self.assertEqual(session.until(m="ping"), {"m": "ping", "hp": 3})
        session.send(op="pong")
        changes = [message for message in session.told if message["m"] == "depth"]
        self.assertEqual({change["symbol"] for change in changes}, set(symbols))
        for change in changes:
            if change["data"]["seqnum"] > books[change["symbol"]].number:
                books[change["symbol"]].apply(change["data"])
        self.compare(session, books[SYMBOL])
        trades = [m for m in session.told if m["m"] == "trades" and m["symbol"] == SYMBOL]
        numbers = [trade["seqnum"] for message in trades for trade in message["data"]]
        self.assertTrue(numbers)
        self.assertEqual(numbers, sorted(set(numbers)))
        # The pong was heard: its own ping finds nothing missing.
        session.send(op="ping")
        pong = session.until(m="pong")
        self.assertEqual((pong["code"], pong["hp"]), (0, 3))
        self.assertLess(abs(pong["ts"] - now()), 5000)

    def compare(self, session, book):
        """The book becomes that of a later snapshot."""
        session.send(op="req", action="depth-snapshot", args={"symbol": SYMBOL})
        while True:
            message = session.receive()
            if message.get("symbol") == SYMBOL and message["m"] == "depth":
                book.apply(message["data"])
            if message["m"] == "depth-snapshot":
                self.assertEqual(message["data"]["seqnum"], book.number)
                self.assertTrue(book.same_as(message["data"]))
                return

    def test_other_channels(self):
        session = Session(self)
        for channel in f"bbo:{SYMBOL}", f"bar:1:{SYMBOL}", "ref-px:BTC":
            session.send(op="sub", id="x", ch=channel)
            self.assertEqual(session.until(m="sub"), {"m": "sub", "id": "x", "ch": channel, "code": 0})
        bbo = session.until(m="bbo", symbol=SYMBOL)["data"]
        self.assertLess(float(bbo["bid"][0]), float(bbo["ask"][0]))
        bar = session.until(m="bar", s=SYMBOL)["data"]
        self.assertEqual((bar["i"], bar["ts"] % 60_000), ("1", 0))

    def test_requests(self):
        session = Session(self)
        asked = session.ask("market-trades", symbol=SYMBOL, level=5)
        self.assertEqual(len(session.until(m="market-trades", id=asked)["data"]), 5)
        session.ask("depth-snapshot-top100", symbol=SYMBOL)
        top = session.until(symbol=SYMBOL)["data"]
        self.assertLessEqual(len(top["asks"]), 100)
        book = rest(f"/api/pro/v1/depth?symbol={SYMBOL}")["data"]
        self.assertLessEqual(abs(book["seqnum"] - top["seqnum"]), PATIENCE * 4)

    def test_the_end_of_a_subscription(self):
        session = Session(self)
        session.send(op="sub", ch=f"depth:{SYMBOL}")
        session.until(m="depth")
        session.send(op="unsub", ch="depth:*")
        session.until(m="unsub", ch="depth:*")
        session.send(op="sub", ch="trades:ETH/USDT")
        session.until(m="sub", ch="trades:ETH/USDT")
        session.told.clear()
        session.until(m="trades")
        self.assertNotIn("depth", [message["m"] for message in session.told])

    def test_refusals(self):
        session = Session(self)
        session.send(op="sub", id="s", ch="depth:BTC/NONE")
        self.assertEqual(session.until(id="s")["code"], 100008)
        session.send(op="sub", id="t", ch="depth:" + ",".join([SYMBOL] * 11))
        refused = session.until(id="t")
        self.assertEqual((refused["m"], refused["code"]), ("error", 100005))
        session.send(op="req", id="r", action="dance", args={})
        self.assertEqual(session.until(m="error", id="r")["reason"], "INVALID_WS_REQUEST_DATA")
        session.socket.send("{")
        self.assertEqual(session.until(m="error")["code"], 150001)
        for action in "place-order", "balance", "open-order":
            session.send(op="req", id=action, action=action, account="cash", args={})
            self.assertEqual(session.until(id=action)["code"], 100009)
        session.send(op="sub", id="o", ch="order:cash")
        self.assertEqual(session.until(id="o")["code"], 100009)


class Authentication(unittest.TestCase):
    def session(self, **options):
        """A session of the user's account group, which all but public data needs."""
        return Session(self, group=info()["accountGroup"], **options)

    def test_by_headers(self):
        session = self.session(headers=signed(now(), "stream"))
        self.assertEqual(session.receive(), {"m": "connected", "type": "auth"})
        balance = session.ask("balance", "cash")
        self.assertEqual(session.until(id=balance)["m"], "balance")

    def test_wrong_headers(self):
        for headers, code in (
            (signed(now(), "stream", secret="wrong"), 200001),
            (signed(now(), "info"), 200001),
            (signed(now(), "stream", key="nobody"), 200006),
            (signed(now() - 60_000, "stream"), 100011),
        ):
            with self.subTest(code=code), self.assertRaises(websocket.WebSocketBadStatusException) as refused:
                self.session(headers=headers)
            self.assertGreaterEqual(refused.exception.status_code, 400)
            self.assertEqual(json.loads(refused.exception.resp_body)["code"], code)

    def auth(self, session, headers, **more):
        key, timestamp, signature = headers.values()
        session.send(op="auth", id="a", t=int(timestamp), key=key, sig=signature, **more)
        return session.until(m="auth")

    def test_by_message(self):
        session = self.session()
        answer = self.auth(session, signed(now(), "stream"))
        self.assertEqual(answer, {"m": "auth", "id": "a", "code": 0})
        session.send(op="sub", ch="order:cash")
        self.assertEqual(session.until(m="sub")["code"], 0)

    def test_by_message_on_the_later_path(self):
        session = self.session(path="/api/pro/v2/stream")
        self.assertEqual(self.auth(session, signed(now(), "v2/stream"))["code"], 0)

    def test_wrong_message(self):
        session = self.session()
        for headers, code in (
            (signed(now(), "stream", secret="wrong"), 200001),
            (signed(now(), "stream", key="nobody"), 200006),
            (signed(now() - 60_000, "stream"), 100011),
        ):
            with self.subTest(code=code):
                answer = self.auth(session, headers)
                self.assertEqual((answer["id"], answer["code"]), ("a", code))
                self.assertTrue(answer["err"])
        session.send(op="sub", id="o", ch="order:cash")
        self.assertNotEqual(session.until(id="o")["code"], 0)

    def test_ready_mode_is_echoed(self):
        answer = self.auth(self.session(), signed(now(), "stream"), ack="ready")
        self.assertEqual(answer, {"m": "auth", "id": "a", "code": 0, "ack": "ready"})


class Orders(unittest.TestCase):
    def setUp(self):
        self.info = info()
        bid = rest(f"/api/pro/v1/ticker?symbol={SYMBOL}")["bid"][0]
        self.far = str(int(float(bid) / 2))
        self.drawn = 0

    def session(self, ready=False):
        """An authenticated session that hears of its orders."""
        session = Session(self, group=self.info["accountGroup"])
        key, timestamp, signature = signed(now(), "stream").values()
        mode = {"ack": "ready"} if ready else {}
        session.send(op="auth", t=int(timestamp), key=key, sig=signature, **mode)
        self.assertEqual(session.until(m="auth")["code"], 0)
        session.send(op="sub", ch="order:cash")
        self.assertEqual(session.until(m="sub")["code"], 0)
        return session

    def id(self):
        self.drawn += 1
        return f"interop{now():x}{self.drawn:04}"

    def place(self, session, answered="Ack", **fields):
        """Places an order; the order that was sent, and what the answer says of it."""
        order = {"id": self.id(), "time": now(), "symbol": SYMBOL, "side": "buy", "orderType": "limit"}
        order = {**order, "orderPrice": self.far, "orderQty": QUANTITY, **fields}
        order = {name: value for name, value in order.items() if value is not None}
        session.ask("place-order", "cash", **order)
        answer = session.until(action="place-order", id=order["id"])
        self.assertEqual((answer["m"], answer["ac"], answer["status"]), ("order", "CASH", answered))
        self.assertEqual(answer["accountId"], self.info["cashAccount"][0])
        return order, answer["info"]

    def cancel(self, session, order, answered="Ack"):
        client_id = self.id()
        session.ask("cancel-order", "cash", id=client_id, time=now(), orderId=order, symbol=SYMBOL)
        answer = session.until(action="cancel-order", id=client_id)
        self.assertEqual(answer["status"], answered)
        return answer["info"]

    def updates(self, session, order):
        """What was told of an order, oldest first."""
        updates = [message["data"] for message in session.told if message["m"] == "order" and "data" in message]
        return [update for update in updates if update["orderId"] == order]

    def become(self, session, order, status):
        """The update with which an order comes to a status; it can come before the answer to what brought it about."""
        for update in self.updates(session, order):
            if update["st"] == status:
                return update
        return session.until(m="order", orderId=order, st=status)["data"]

    def test_place_and_cancel(self):
        session = self.session()
        order, placed = self.place(session)
        expected = f"s{order['time']:x}"[:12] + self.info["userUID"][-11:] + order["id"][-9:]
        self.assertEqual(placed["orderId"], expected)
        self.become(session, expected, "New")
        asked = session.ask("open-order", "cash")
        self.assertIn(expected, [row["orderId"] for row in session.until(m="open-order", id=asked)["data"]])
        self.assertEqual(self.cancel(session, expected)["orderId"], expected)
        update = self.become(session, expected, "Canceled")
        self.assertEqual((update["s"], update["p"], update["q"], update["cfq"]), (SYMBOL, self.far, QUANTITY, "0"))
        self.assertEqual(update["qab"], update["qtb"])

    def test_ready_mode(self):
        session = self.session(ready=True)
        order = self.place(session)[1]["orderId"]
        self.become(session, order, "Ready")
        self.cancel(session, order)
        self.become(session, order, "Canceled")
        self.assertEqual([update["st"] for update in self.updates(session, order)], ["Ready", "Canceled"])

    def test_failed_cancel_in_ready_mode(self):
        session = self.session(ready=True)
        order = self.place(session)[1]["orderId"]
        self.cancel(session, order)
        session.told.clear()
        session.ask("cancel-order", "cash", id=self.id(), time=now(), orderId=order, symbol=SYMBOL)
        rejected = session.until(st="Rejected", origOrderId=order)["data"]
        self.assertEqual(rejected["err"], "OrderCancelReject")
        self.assertTrue(rejected["text"])
        self.assertNotIn("p", rejected)

    def test_a_fill(self):
        session = self.session()
        order = self.place(session, orderType="market", orderPrice=None)[1]["orderId"]
        self.become(session, order, "Filled")
        asked = session.ask("order-status", "cash", orderId=order + ",")
        rows = session.until(m="order-status", id=asked)["data"]
        self.assertEqual([(row["orderId"], row["st"], row["cfq"]) for row in rows], [(order, "Filled", QUANTITY)])

    def test_cancel_all(self):
        session = self.session()
        orders = [self.place(session)[1]["orderId"] for _ in range(3)]
        session.ask("cancel-all", "cash", id=self.id(), time=now(), symbol=SYMBOL)
        self.assertEqual(session.until(action="cancel-all")["status"], "Ack")
        for order in orders:
            self.become(session, order, "Canceled")

    def test_refusals(self):
        session = self.session()
        for fields, code in (
            ({"orderPrice": self.far + ".001"}, 300014),
            ({"orderQty": "0.0010000001"}, 300002),
            ({"orderQty": "0.00001"}, 300004),
            ({"symbol": "BTC/NONE"}, 300012),
            ({"time": now() - 60_000}, 100011),
        ):
            with self.subTest(**fields):
                order, info = self.place(session, "Err", **fields)
                self.assertEqual((info["code"], info["symbol"]), (code, order["symbol"]))
                self.assertTrue(info["message"] and info["reason"])
        nobodys = "s1715eef7547U0000000000123456789"
        self.assertEqual(self.cancel(session, nobodys, "Err")["symbol"], SYMBOL)

    def test_realtime_book(self):
        session = self.session()
        session.send(op="sub", ch=f"depth-realtime:{SYMBOL}")
        book = Book(session.until(m="depth-snapshot-realtime", symbol=SYMBOL)["data"])
        for _ in range(20):
            book.apply(session.until(m="depth-realtime", symbol=SYMBOL)["data"])

    def test_margin_risk(self):
        session = self.session()
        asked = session.ask("margin-risk", "margin")
        risk = session.until(m="margin-risk", id=asked)
        self.assertEqual(risk["ac"], "MARGIN")
        self.assertLessEqual({"tb", "ab", "nb"}, set(risk["data"]))
