"""The streams by ccxt.pro: books, trades and bars against REST, balances and own orders against what was done."""

import asyncio
import time
import unittest

import ccxt.pro

from sandbox import PATIENCE, credentials, exchange

SYMBOL = "BTC/USDT"
AMOUNT = 0.001


class Streams(unittest.IsolatedAsyncioTestCase):
    settings = {}

    async def asyncSetUp(self):
        # Its complaints about slow steps are about the client's.
        asyncio.get_running_loop().set_debug(False)
        self.client = exchange(ccxt.pro.ascendex, **self.settings)
        self.addAsyncCleanup(self.client.close, True)
        self.deadline = time.monotonic() + PATIENCE
        await self.client.load_markets()

    async def soon(self, awaitable):
        """Whatever is awaited comes before the deadline of the test."""
        try:
            return await asyncio.wait_for(awaitable, max(self.deadline - time.monotonic(), 0))
        except asyncio.TimeoutError:
            raise AssertionError("not in time") from None


class Market(Streams):
    async def test_order_book_is_that_of_rest(self):
        compared = set()
        while len(compared) < 4:
            watched = await self.soon(self.client.watch_order_book(SYMBOL))
            number, sides = watched["nonce"], [[list(level) for level in watched[side]] for side in ("asks", "bids")]
            book = await self.soon(self.client.fetch_order_book(SYMBOL))
            # Another number: a change came in between. The next is as good.
            if book["nonce"] == number and number not in compared:
                self.assertEqual(sides, [book["asks"], book["bids"]])
                compared.add(number)

    async def test_several_order_books(self):
        symbols = [SYMBOL, "ETH/USDT", "DOGE/USDT"]
        for book in await self.soon(asyncio.gather(*map(self.client.watch_order_book, symbols))):
            self.assertLess(book["bids"][0][0], book["asks"][0][0])

    async def test_trades_are_those_of_rest(self):
        watched = {}
        while len(watched) < 5:
            for trade in await self.soon(self.client.watch_trades(SYMBOL)):
                watched[int(trade["info"]["seqnum"])] = trade
        trades = await self.soon(self.client.fetch_trades(SYMBOL))
        fetched = {int(trade["info"]["seqnum"]): trade for trade in trades}
        for number, trade in watched.items():
            for field in "price", "amount", "side", "timestamp", "symbol":
                self.assertEqual(trade[field], fetched[number][field])

    async def test_trades_of_several_symbols(self):
        wanted, seen = [SYMBOL, "ETH/USDT"], set()
        while seen != set(wanted):
            seen |= {trade["symbol"] for trade in await self.soon(self.client.watch_trades_for_symbols(wanted))}

    async def test_bars_become_those_of_rest(self):
        while True:
            watched = (await self.soon(self.client.watch_ohlcv(SYMBOL, "1m")))[-1]
            fetched = (await self.soon(self.client.fetch_ohlcv(SYMBOL, "1m", limit=1)))[-1]
            # Another: a trade came in between. The next is as good.
            if watched == fetched:
                break


class Watcher:
    """Collects what a watch tells, from now on."""

    def __init__(self, test, watch):
        self.test, self.told, self.more = test, [], asyncio.Event()
        self.task = asyncio.create_task(self.run(watch))
        test.addAsyncCleanup(self.stop)

    async def run(self, watch):
        while True:
            self.told.append(await watch())
            self.more.set()

    async def stop(self):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def until(self, condition, patience=None):
        """Waits until something told meets the condition; whether it did before the end of patience."""
        deadline = self.test.deadline if patience is None else time.monotonic() + patience
        while not any(map(condition, self.told)):
            self.more.clear()
            left = max(deadline - time.monotonic(), 0)
            more = asyncio.create_task(self.more.wait())
            done, _ = await asyncio.wait({more, self.task}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            more.cancel()
            if self.task in done:
                self.task.result()
            if not done:
                if patience is None:
                    self.test.fail(f"not told in time; told: {self.told}")
                return False
        return True


class Private(Streams):
    @property
    def settings(self):
        return credentials()

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.price = (await self.client.fetch_ticker(SYMBOL))["bid"] / 2
        self.addAsyncCleanup(self.client.cancel_all_orders)

    def place(self):
        """A buy order far below the market."""
        return self.soon(self.client.create_order(SYMBOL, "limit", "buy", AMOUNT, self.price))

    def cancel(self, order):
        return self.soon(self.client.cancel_order(order["id"], SYMBOL))

    async def watcher(self, watch):
        """A watcher whose subscription is in force. Nothing says when that is so: orders are placed until one shows."""
        watcher = Watcher(self, watch)
        while True:
            self.assertLess(time.monotonic(), self.deadline)
            order = await self.place()
            shown = await watcher.until(lambda _: True, patience=1)
            await self.cancel(order)
            if shown:
                return watcher

    async def test_balance(self):
        watcher = await self.watcher(self.client.watch_balance)
        before = (await self.soon(self.client.fetch_balance()))["USDT"]
        watcher.told.clear()
        order = await self.place()
        held = (await self.soon(self.client.fetch_balance()))["USDT"]
        self.assertLess(held["free"], before["free"])
        await watcher.until(lambda balance: balance["USDT"] == held)
        watcher.told.clear()
        await self.cancel(order)
        await watcher.until(lambda balance: balance["USDT"] == before)

    async def test_balance_after_a_transfer(self):
        watcher = await self.watcher(self.client.watch_balance)
        before = (await self.soon(self.client.fetch_balance()))["USDT"]["total"]
        await self.soon(self.client.transfer("USDT", 7, "spot", "margin"))
        await watcher.until(lambda balance: balance["USDT"]["total"] == before - 7)
        await self.soon(self.client.transfer("USDT", 7, "margin", "spot"))
        await watcher.until(lambda balance: balance["USDT"]["total"] == before)

    async def test_own_orders(self):
        watcher = await self.watcher(lambda: self.client.watch_orders(SYMBOL))
        order = await self.place()
        await watcher.until(self.holds(order["id"], "open"))
        await self.cancel(order)
        await watcher.until(self.holds(order["id"], "canceled"))

    async def test_a_fill(self):
        watcher = await self.watcher(self.client.watch_orders)
        order = await self.soon(self.client.create_order(SYMBOL, "market", "buy", AMOUNT))
        await watcher.until(self.holds(order["id"], "closed"))
        told = next(o for orders in watcher.told for o in orders if (o["id"], o["status"]) == (order["id"], "closed"))
        fetched = await self.soon(self.client.fetch_order(order["id"]))
        for field in "symbol", "type", "side", "amount", "filled", "average", "fee":
            self.assertEqual(told[field], fetched[field])

    @staticmethod
    def holds(order, status):
        return lambda orders: (order, status) in [(order["id"], order["status"]) for order in orders]

    async def test_bad_secret(self):
        other = exchange(ccxt.pro.ascendex, apiKey=credentials()["apiKey"], secret="A" * 64)
        self.addAsyncCleanup(other.close, True)
        with self.assertRaises(ccxt.AuthenticationError):
            await self.soon(other.watch_balance())
