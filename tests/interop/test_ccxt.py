"""REST by ccxt: what it makes of the answers, and which exception it makes of a refusal."""

import unittest
from contextlib import contextmanager

import ccxt

from sandbox import credentials, exchange

SYMBOL = "BTC/USDT"
AMOUNT = 0.001


class Market(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = exchange()
        cls.client.load_markets()

    def test_markets(self):
        market = self.client.market(SYMBOL)
        self.assertGreaterEqual(len(self.client.markets), 10)
        self.assertEqual((market["id"], market["base"], market["quote"]), (SYMBOL, "BTC", "USDT"))
        self.assertTrue(market["active"] and market["spot"] and market["margin"])
        self.assertEqual(market["precision"], {**market["precision"], "price": 0.01, "amount": 0.00001})
        self.assertEqual(market["limits"]["cost"], {"min": 5, "max": 400_000})
        self.assertEqual(market["taker"], 0.001)
        self.assertTrue(all(market["active"] for market in self.client.markets.values()))
        # There are no futures, and asking for them is no error.
        self.assertFalse(any(market["swap"] for market in self.client.markets.values()))

    def test_currencies(self):
        usdt = self.client.currencies["USDT"]
        self.assertEqual((usdt["name"], usdt["precision"]), ("Tether", 0.0001))
        self.assertIn("ERC20", usdt["networks"])
        self.assertTrue(usdt["deposit"] and usdt["withdraw"])
        for market in self.client.markets.values():
            self.assertIn(market["base"], self.client.currencies)
            self.assertIn(market["quote"], self.client.currencies)
        self.assertGreater(self.client.fetch_deposit_withdraw_fees(["BTC"])["BTC"]["withdraw"]["fee"], 0)

    def assert_ticker(self, ticker):
        self.assertLess(ticker["bid"], ticker["ask"])
        self.assertLessEqual(ticker["low"], min(ticker["open"], ticker["close"]))
        self.assertGreaterEqual(ticker["high"], max(ticker["open"], ticker["close"]))
        self.assertGreater(ticker["baseVolume"], 0)

    def test_one_ticker(self):
        ticker = self.client.fetch_ticker(SYMBOL)
        self.assertEqual(ticker["symbol"], SYMBOL)
        self.assert_ticker(ticker)

    def test_several_tickers(self):
        symbols = [SYMBOL, "ETH/BTC", "DOGE/USDT"]
        tickers = self.client.fetch_tickers(symbols)
        self.assertEqual(set(tickers), set(symbols))
        for ticker in tickers.values():
            self.assert_ticker(ticker)

    def test_one_ticker_as_a_list(self):
        tickers = self.client.fetch_tickers([SYMBOL], {"symbol": SYMBOL + ","})
        self.assertEqual(set(tickers), {SYMBOL})

    def test_all_tickers(self):
        self.assertEqual(set(self.client.fetch_tickers()), set(self.client.markets))

    def test_order_book(self):
        book = self.client.fetch_order_book(SYMBOL)
        bids, asks = ([price for price, _ in book[side]] for side in ("bids", "asks"))
        self.assertEqual((bids, asks), (sorted(bids, reverse=True), sorted(asks)))
        self.assertLess(bids[0], asks[0])
        self.assertTrue(all(size > 0 for side in ("bids", "asks") for _, size in book[side]))
        self.assertGreater(book["nonce"], 0)
        self.assertGreaterEqual(self.client.fetch_order_book(SYMBOL)["nonce"], book["nonce"])

    def test_trades(self):
        trades = self.client.fetch_trades(SYMBOL)
        numbers = [int(trade["info"]["seqnum"]) for trade in trades]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertTrue(all(trade["price"] > 0 and trade["amount"] > 0 for trade in trades))
        self.assertEqual({trade["side"] for trade in trades}, {"buy", "sell"})
        few = self.client.fetch_trades(SYMBOL, limit=5)
        self.assertEqual(len(few), 5)
        self.assertGreaterEqual(int(few[0]["info"]["seqnum"]), numbers[-5])

    def test_every_timeframe(self):
        for timeframe in self.client.timeframes:
            with self.subTest(timeframe):
                bars = self.client.fetch_ohlcv(SYMBOL, timeframe, limit=3)
                self.assertEqual(len(bars), 3)
                self.assert_bars(bars)

    def assert_bars(self, bars):
        times = [bar[0] for bar in bars]
        self.assertEqual(times, sorted(set(times)))
        for _, opened, high, low, closed, _ in bars:
            self.assertLessEqual(low, min(opened, closed))
            self.assertGreaterEqual(high, max(opened, closed))

    def test_bars_page_by_page(self):
        minute, now = 60_000, self.client.fetch_time()
        since = now - now % minute - 1300 * minute
        until = since + 1000 * minute
        whole, at = [], since
        while at < until:
            # It asks for one more than it wants: of 500 the exchange would leave out the first.
            page = self.client.fetch_ohlcv(SYMBOL, "1m", since=at, limit=400)
            self.assertEqual((page[0][0], len(page)), (at, 400))
            whole += page
            at = page[-1][0] + minute
        self.assert_bars(whole)
        # What is over does not change: the same bars by their end.
        last = self.client.fetch_ohlcv(SYMBOL, "1m", limit=10, params={"until": until})
        self.assertEqual(last[-1][0], until)
        by_time = {bar[0]: bar for bar in whole}
        self.assertEqual(last, [by_time[bar[0]] for bar in last])

    def test_time(self):
        self.assertLess(abs(self.client.fetch_time() - self.client.milliseconds()), 5000)

    def test_unknown_symbol(self):
        with self.assertRaises(ccxt.BadSymbol):
            self.client.fetch_ticker("BTC/NONE")
        for call in (self.client.v1PublicGetTicker, self.client.v1PublicGetDepth, self.client.v1PublicGetTrades):
            with self.assertRaises(ccxt.BadSymbol):
                call({"symbol": "BTC/NONE"})

    def test_bad_argument(self):
        with self.assertRaises(ccxt.BadRequest):
            self.client.v1PublicGetBarhist({"symbol": SYMBOL, "interval": "7"})
        with self.assertRaises(ccxt.BadRequest):
            self.client.v1PublicGetTrades({"symbol": SYMBOL, "n": "many"})


class Private(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = exchange(**credentials())
        cls.client.load_markets()

    def setUp(self):
        self.addCleanup(self.client.cancel_all_orders)

    def price(self, times):
        """So many times the price of the market, on the tick."""
        middle = self.client.fetch_ticker(SYMBOL)["bid"]
        return float(self.client.price_to_precision(SYMBOL, middle * times))

    def rest(self, **params):
        """A buy order far below the market."""
        return self.client.create_order(SYMBOL, "limit", "buy", AMOUNT, self.price(0.5), params)

    def free(self, asset, **params):
        return self.client.fetch_balance(params)[asset]["free"]

    @contextmanager
    def refused(self, exception, code):
        with self.assertRaises(exception) as caught:
            yield
        self.assertIs(type(caught.exception), exception)
        self.assertRegex(str(caught.exception), rf'"code":\s*"?{code}\b')


class Account(Private):
    def test_account_group(self):
        self.client.options["account-group"] = None
        account = self.client.fetch_accounts()[0]
        self.assertRegex(account["id"], r"^\d+$")
        info = account["info"]["data"]
        self.assertTrue(info["viewPermission"] and info["tradePermission"] and info["transferPermission"])
        self.assertRegex(info["userUID"], r"^U\d{10}$")

    def test_balances(self):
        cash = self.client.fetch_balance()
        self.assertGreater(cash["USDT"]["free"], 0)
        margin = self.client.fetch_balance({"type": "margin", "showAll": True})
        self.assertEqual(margin["BTC"]["debt"], 0)
        every = self.client.fetch_balance({"showAll": True})
        self.assertLessEqual({market["base"] for market in self.client.markets.values()}, set(every["total"]))
        one = self.client.fetch_balance({"asset": "BTC"})
        self.assertEqual(set(one["total"]), {"BTC"})

    def test_a_hold(self):
        before = self.client.fetch_balance()["USDT"]
        order = self.rest()
        held = self.client.fetch_balance()["USDT"]
        self.assertAlmostEqual(before["free"] - held["free"], AMOUNT * self.price_of(order) * 1.001, 6)
        self.assertEqual(before["total"], held["total"])
        self.client.cancel_order(order["id"], SYMBOL)
        self.assertEqual(self.client.fetch_balance()["USDT"], before)

    def price_of(self, order):
        return self.client.fetch_order(order["id"])["price"]

    def test_fees(self):
        fees = self.client.fetch_trading_fees()
        self.assertEqual(set(fees), set(self.client.markets))
        self.assertGreater(fees[SYMBOL]["maker"], 0)
        self.assertGreaterEqual(fees[SYMBOL]["taker"], fees[SYMBOL]["maker"])

    def test_margin_risk(self):
        risk = self.client.v1PrivateAccountGroupGetMarginRisk({"account-group": self.client.fetch_accounts()[0]["id"]})
        self.assertIn("netBalanceInUSDT", risk["data"])

    def test_deposit_address(self):
        address = self.client.fetch_deposit_address("USDT", {"network": "ERC20"})
        self.assertRegex(address["address"], r"^0x[0-9a-f]{40}$")
        self.assertEqual((address["currency"], address["network"]), ("USDT", "ERC20"))
        self.assertEqual(self.client.fetch_deposit_address("USDT", {"network": "ERC20"}), address)
        other = self.client.fetch_deposit_address("USDT", {"network": "TRC20"})
        self.assertNotEqual(other["address"], address["address"])
        # Where there is one chain only, none need be named.
        bitcoin = self.client.fetch_deposit_address("BTC", {"network": "BTC"})["address"]
        self.assertEqual(self.client.fetch_deposit_address("BTC")["address"], bitcoin)

    def test_deposits_and_withdrawals(self):
        deposits, withdrawals = self.client.fetch_deposits(), self.client.fetch_withdrawals()
        # What the user began with.
        self.assertIn("USDT", [entry["currency"] for entry in deposits])
        self.assertEqual({entry["currency"] for entry in self.client.fetch_deposits("BTC")}, {"BTC"})
        both = self.client.fetch_deposits_withdrawals()
        self.assertEqual({entry["type"] for entry in deposits}, {"deposit"})
        self.assertLessEqual({entry["type"] for entry in withdrawals}, {"withdrawal"})
        self.assertEqual(len(both), len(deposits) + len(withdrawals))
        for entry in both:
            self.assertGreater(entry["amount"], 0)
            self.assertIn(entry["currency"], self.client.currencies)
            self.assertTrue(entry["id"] and entry["address"] and entry["timestamp"])

    def test_transfer_to_margin_and_back(self):
        cash, margin = self.free("USDT"), self.client.fetch_balance({"type": "margin"})
        margin = margin.get("USDT", {"free": 0})["free"]
        there = self.client.transfer("USDT", 12.5, "spot", "margin")
        self.assertEqual((there["status"], there["amount"]), ("ok", 12.5))
        self.assertAlmostEqual(self.free("USDT"), cash - 12.5, 6)
        self.assertAlmostEqual(self.free("USDT", type="margin"), margin + 12.5, 6)
        self.client.transfer("USDT", 12.5, "margin", "spot")
        self.assertAlmostEqual(self.free("USDT"), cash, 6)

    def test_transfer_of_too_much(self):
        with self.assertRaises(ccxt.ExchangeError):
            self.client.transfer("USDT", self.free("USDT") + 1, "spot", "margin")


class Orders(Private):
    def test_limit_order_and_its_cancel(self):
        price = self.price(0.5)
        placed = self.client.create_order(SYMBOL, "limit", "buy", AMOUNT, price)
        self.assertEqual((placed["symbol"], placed["type"]), (SYMBOL, "limit"))
        order = self.client.fetch_order(placed["id"], SYMBOL)
        self.assertEqual((order["id"], order["status"], order["side"]), (placed["id"], "open", "buy"))
        self.assertEqual((order["price"], order["amount"], order["filled"]), (price, AMOUNT, 0))
        self.assertIn(placed["id"], [order["id"] for order in self.client.fetch_open_orders(SYMBOL)])
        self.assertIn(placed["id"], [order["id"] for order in self.client.fetch_open_orders()])
        self.assertNotIn(placed["id"], [order["id"] for order in self.client.fetch_open_orders("ETH/USDT")])

        cancelled = self.client.cancel_order(placed["id"], SYMBOL)
        self.assertEqual(cancelled["id"], placed["id"])
        self.assertEqual(self.client.fetch_order(placed["id"])["status"], "canceled")
        self.assertNotIn(placed["id"], [order["id"] for order in self.client.fetch_open_orders(SYMBOL)])

    def test_id_of_an_order_is_known_before(self):
        client_id, time = "interop0987654321", self.client.milliseconds()
        placed = self.rest(clientOrderId=client_id, time=time)
        uid = self.client.v1PrivateGetInfo()["data"]["userUID"]
        self.assertEqual(placed["clientOrderId"], client_id)
        self.assertEqual(placed["id"], f"a{time:x}"[:12] + uid[-11:] + client_id[-9:])
        # The same order once more is none.
        again = self.rest(clientOrderId=client_id, time=time)
        self.assertEqual(again["info"].get("errorCode"), "DupNewCoid")

    def test_market_order(self):
        before = self.client.fetch_balance()
        for side, sign in ("buy", 1), ("sell", -1):
            with self.subTest(side):
                placed = self.client.create_order(SYMBOL, "market", side, AMOUNT)
                order = self.client.fetch_order(placed["id"])
                self.assertEqual((order["status"], order["type"], order["filled"]), ("closed", "market", AMOUNT))
                self.assertAlmostEqual(order["average"], self.price(1), delta=self.price(0.1))
                self.assertEqual(order["fee"]["currency"], "USDT")
                self.assertGreater(order["fee"]["cost"], 0)
                after = self.client.fetch_balance()
                self.assertAlmostEqual(after["BTC"]["total"] - before["BTC"]["total"], sign * AMOUNT, 9)
                paid = order["average"] * AMOUNT * sign + order["fee"]["cost"]
                self.assertAlmostEqual(before["USDT"]["total"] - after["USDT"]["total"], paid, 4)
                before = after

    def test_stop_orders(self):
        high, low = self.price(1.5), self.price(0.5)
        stop_limit = self.client.create_order(SYMBOL, "limit", "buy", AMOUNT, high, {"triggerPrice": high})
        stop_market = self.client.create_order(SYMBOL, "market", "sell", AMOUNT, None, {"triggerPrice": low})
        for placed, kind, stop in (stop_limit, "StopLimit", high), (stop_market, "StopMarket", low):
            with self.subTest(kind):
                order = self.client.fetch_order(placed["id"])
                self.assertEqual((order["status"], order["triggerPrice"]), ("open", stop))
                self.assertEqual(order["info"]["orderType"], kind)
        self.assertEqual(len(self.client.fetch_open_orders(SYMBOL)), 2)

    def test_stop_that_the_market_has_reached(self):
        placed = self.client.create_order(SYMBOL, "market", "buy", AMOUNT, None, {"triggerPrice": self.price(0.9)})
        self.assertEqual(self.client.fetch_order(placed["id"])["status"], "closed")

    def test_time_in_force(self):
        for force in "IOC", "FOK":
            with self.subTest(force):
                placed = self.rest(timeInForce=force)
                self.assertEqual(self.client.fetch_order(placed["id"])["status"], "canceled")

    def test_post_only(self):
        order = self.client.fetch_order(self.rest(postOnly=True)["id"])
        self.assertEqual((order["status"], order["postOnly"]), ("open", True))
        placed = self.client.create_order(SYMBOL, "limit", "buy", AMOUNT, self.price(1.05), {"postOnly": True})
        self.assertEqual(self.client.fetch_order(placed["id"])["status"], "rejected")

    def test_answer_after_the_engine(self):
        order = self.rest(respInst="ACCEPT")
        self.assertEqual((order["status"], order["amount"], order["filled"]), ("open", AMOUNT, 0))
        order = self.client.create_order(SYMBOL, "market", "buy", AMOUNT, None, {"respInst": "DONE"})
        self.assertEqual((order["status"], order["filled"]), ("closed", AMOUNT))

    def test_batch(self):
        price = self.price(0.5)
        request = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": AMOUNT, "price": price}
        placed = self.client.create_orders([request, {**request, "side": "sell", "price": price * 4}])
        ids = {order["id"] for order in placed}
        self.assertEqual({order["id"] for order in self.client.fetch_open_orders(SYMBOL)}, ids)
        with self.refused(ccxt.InvalidOrder, 300013):
            self.client.create_orders([request, {**request, "params": {"orderPrice": "0.001"}}])
        self.assertEqual({order["id"] for order in self.client.fetch_open_orders(SYMBOL)}, ids)

    def test_cancel_all(self):
        here = [self.rest()["id"] for _ in range(3)]
        price = self.client.fetch_ticker("ETH/USDT")["bid"] / 2
        elsewhere = self.client.create_order("ETH/USDT", "limit", "buy", 0.01, price)["id"]
        self.client.cancel_all_orders(SYMBOL)
        self.assertEqual([order["id"] for order in self.client.fetch_open_orders()], [elsewhere])
        self.client.cancel_all_orders()
        self.assertEqual(self.client.fetch_open_orders(), [])
        self.assertEqual({self.client.fetch_order(order)["status"] for order in here}, {"canceled"})

    def test_history(self):
        since = self.client.milliseconds()
        ids = [self.client.create_order(SYMBOL, "market", "buy", AMOUNT)["id"]]
        for _ in range(4):
            ids.append(self.rest()["id"])
            self.client.cancel_order(ids[-1], SYMBOL)
        newest = self.client.fetch_closed_orders(SYMBOL)
        self.assertLessEqual(set(ids), {order["id"] for order in newest})
        by_id = {order["id"]: order for order in newest}
        self.assertEqual((by_id[ids[0]]["status"], by_id[ids[0]]["filled"]), ("closed", AMOUNT))
        self.assertEqual(by_id[ids[1]]["status"], "canceled")
        # From the oldest on, two by two. What ended just before may be of the same millisecond.
        paged, params = [], {"startTime": since}
        while page := self.client.fetch_closed_orders(SYMBOL, limit=2, params=params):
            self.assertLessEqual(len(page), 2)
            paged += [order["id"] for order in page]
            self.assertLess(len(paged), 20)
            params = {"seqNum": max(int(order["info"]["seqNum"]) for order in page) + 1}
        self.assertEqual(paged[-len(ids) :], ids)
        # The other call for it.
        method = "v1PrivateAccountCategoryGetOrderHistCurrent"
        recent = exchange(**credentials(), options={"fetchClosedOrders": {"method": method}})
        self.assertLessEqual(set(ids), {order["id"] for order in recent.fetch_closed_orders(SYMBOL)})

    def test_margin_order(self):
        self.client.transfer("USDT", 100, "spot", "margin")
        self.addCleanup(self.client.transfer, "USDT", 100, "margin", "spot")
        margin = {"type": "margin"}
        self.addCleanup(self.client.cancel_all_orders, None, margin)
        placed = self.client.create_order(SYMBOL, "limit", "buy", AMOUNT, self.price(0.5), {"marginMode": "cross"})
        [order] = self.client.fetch_open_orders(SYMBOL, params=margin)
        self.assertEqual(order["id"], placed["id"])
        self.assertNotIn(placed["id"], [order["id"] for order in self.client.fetch_open_orders(SYMBOL)])
        self.client.cancel_order(placed["id"], SYMBOL, margin)
        self.assertEqual(self.client.fetch_order(placed["id"], SYMBOL, margin)["status"], "canceled")


class Refusals(Private):
    def test_bad_secret(self):
        client = exchange(apiKey=credentials()["apiKey"], secret="A" * 64)
        with self.refused(ccxt.AuthenticationError, 200001):
            client.fetch_balance()

    def test_too_little_balance(self):
        balance, tickers = self.client.fetch_balance({"showAll": True}), self.client.fetch_tickers()
        for symbol, market in self.client.markets.items():
            price = tickers[symbol]["ask"] * 1.2
            amount = balance[market["base"]]["free"] + market["precision"]["amount"] * 10 + 10 / price
            if market["quote"] == "USDT" and amount * price < market["limits"]["cost"]["max"]:
                with self.refused(ccxt.InsufficientFunds, 300011):
                    self.client.create_order(symbol, "limit", "sell", amount, price)
                return
        self.fail("there is enough of everything")

    def test_bad_tick(self):
        with self.refused(ccxt.InvalidOrder, 300014):
            self.rest(orderPrice="20000.001")

    def test_bad_lot(self):
        with self.refused(ccxt.InvalidOrder, 300002):
            self.rest(orderQty="0.0010000001")

    def test_bad_notional(self):
        for amount in AMOUNT / 100, AMOUNT * 100_000:
            with self.refused(ccxt.InvalidOrder, 300004):
                self.client.create_order(SYMBOL, "limit", "buy", amount, self.price(0.5))

    def test_bad_fields(self):
        for params, exception, code in (
            ({"side": "sideways"}, ccxt.InvalidOrder, 300003),
            ({"orderType": "odd"}, ccxt.InvalidOrder, 300005),
            ({"id": "-"}, ccxt.InvalidOrder, 300006),
            ({"timeInForce": "NOW"}, ccxt.InvalidOrder, 300007),
            ({"orderPrice": "much"}, ccxt.BadRequest, 100013),
            ({"time": self.client.milliseconds() - 60_000}, ccxt.BadRequest, 100011),
            ({"symbol": "BTC/NONE"}, ccxt.BadSymbol, 300012),
        ):
            with self.subTest(**params), self.refused(exception, code):
                self.rest(**params)

    def test_unknown_order(self):
        nobodys = "a1715eef7547U0000000000123456789"
        with self.assertRaises(ccxt.ExchangeError):
            self.client.cancel_order(nobodys, SYMBOL)
        with self.assertRaises(ccxt.InvalidOrder):
            self.client.fetch_order(nobodys, SYMBOL)

    def test_cancel_twice(self):
        order = self.rest()["id"]
        self.client.cancel_order(order, SYMBOL)
        with self.refused(ccxt.ExchangeError, 300019):
            self.client.cancel_order(order, SYMBOL)

    def test_unknown_asset(self):
        account = {"account-group": self.client.fetch_accounts()[0]["id"], "amount": "1", "asset": "NONE"}
        with self.assertRaises(ccxt.BadSymbol):
            self.client.v1PrivateAccountGroupPostTransfer({**account, "fromAccount": "cash", "toAccount": "margin"})
