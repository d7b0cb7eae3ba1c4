//! The fast lane for messages whose fields come in no fixed order: those of an account, and bars.

use rust_decimal::Decimal;

use super::Rest;
use crate::model::{
    AccountKind, BalanceState, BalanceUpdate, Bar, BarInterval, BarKind, ExecInst, OrderError, OrderState, OrderStatus,
    OrderType, OrderUpdate, Side,
};
use crate::symbol::{Asset, OrderId, Symbol};

/// Reads the rest of an object into variables: each field by the named method, in any order, at most once. A field that
/// is not named here makes the lane decline.
macro_rules! fields {
    ($rest:ident { $($name:pat => $variable:ident: $read:ident($($argument:expr)?)),+ $(,)? }) => {
        $(let mut $variable = None;)+
        $rest.fields(|rest, name| match name {
            $($name => once(&mut $variable, rest.$read($($argument)?)?),)+
            _ => None,
        })?;
    };
}

fn once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

/// Reads a label, which any text is, as a name is read, which not every text is.
fn label<T>(of: impl Fn(&str) -> T) -> impl Fn(&str) -> Option<T> {
    move |text| Some(of(text))
}

impl<'a> Rest<'a> {
    pub(super) fn order(&mut self) -> Option<OrderUpdate> {
        self.of_account(Self::order_state, OrderUpdate::new)
    }

    pub(super) fn balance(&mut self) -> Option<BalanceUpdate> {
        self.of_account(Self::balance_state, BalanceUpdate::new)
    }

    /// What messages of an account have in common, about data of their own.
    fn of_account<T, U>(
        &mut self,
        read: fn(&mut Self) -> Option<T>,
        make: fn(String, Option<AccountKind>, T) -> U,
    ) -> Option<U> {
        fields!(self {
            b"accountId" => id: maybe(label(str::to_owned)),
            b"ac" | b"accountCategory" => kind: maybe(label(AccountKind::from_text)),
            b"data" => data: object(read),
        });
        Some(make(id.flatten().unwrap_or_default(), kind.flatten(), data?))
    }

    fn order_state(&mut self) -> Option<OrderState> {
        fields!(self {
            b"s" => symbol: text(Symbol::from_server),
            b"sn" => seqnum: whole(),
            b"orderId" => order_id: text(OrderId::from_server),
            b"sd" => side: maybe(label(Side::from_text)),
            b"ot" => order_type: maybe(label(OrderType::from_text)),
            b"st" => status: text(label(OrderStatus::from_text)),
            b"t" => ts: whole(),
            b"p" => price: maybe_decimal(),
            b"q" => order_qty: maybe_decimal(),
            b"sp" => stop_price: maybe_decimal(),
            b"ap" => avg_px: maybe_decimal(),
            b"cfq" => cum_filled_qty: maybe_decimal(),
            b"cf" => cum_fee: maybe_decimal(),
            b"fa" => fee_asset: maybe(Asset::from_server),
            b"err" => error: maybe(label(OrderError::from_text)),
            b"ei" => exec_inst: maybe(label(ExecInst::from_text)),
            b"btb" => base_total: maybe_decimal(),
            b"bab" => base_available: maybe_decimal(),
            b"qtb" => quote_total: maybe_decimal(),
            b"qab" => quote_available: maybe_decimal(),
        });
        Some(OrderState {
            symbol: symbol?,
            seqnum: seqnum?,
            order_id: order_id?,
            side: side.flatten(),
            order_type: order_type.flatten(),
            status: status?,
            ts: ts?,
            price: price.flatten(),
            order_qty: order_qty.flatten(),
            stop_price: stop_price.flatten(),
            avg_px: avg_px.flatten(),
            cum_filled_qty: cum_filled_qty.flatten(),
            cum_fee: cum_fee.flatten(),
            fee_asset: fee_asset.flatten(),
            error: error.flatten(),
            exec_inst: exec_inst.flatten(),
            base_total: base_total.flatten(),
            base_available: base_available.flatten(),
            quote_total: quote_total.flatten(),
            quote_available: quote_available.flatten(),
            create_time: None,
            last_price: None,
            last_qty: None,
            last_fee: None,
        })
    }

    fn balance_state(&mut self) -> Option<BalanceState> {
        fields!(self {
            b"a" => asset: text(Asset::from_server),
            b"sn" => seqnum: whole(),
            b"tb" => total: decimal(),
            b"ab" => available: decimal(),
            b"brw" => borrowed: maybe_decimal(),
            b"int" => interest: maybe_decimal(),
        });
        Some(BalanceState {
            asset: asset?,
            seqnum: seqnum?,
            total: total?,
            available: available?,
            borrowed: borrowed.flatten(),
            interest: interest.flatten(),
        })
    }

    pub(super) fn bar(&mut self) -> Option<Bar> {
        fields!(self {
            b"s" => symbol: text(Symbol::from_server),
            b"data" => data: object(Self::bar_data),
        });
        let (interval, ts, [open, close, high, low, volume]) = data?;
        Some(Bar { kind: BarKind::Bar, symbol: symbol?, interval, ts, open, close, high, low, volume })
    }

    fn bar_data(&mut self) -> Option<(BarInterval, u64, [Decimal; 5])> {
        fields!(self {
            b"i" => interval: text(label(BarInterval::from_text)),
            b"ts" => ts: whole(),
            b"o" => open: decimal(),
            b"c" => close: decimal(),
            b"h" => high: decimal(),
            b"l" => low: decimal(),
            b"v" => volume: decimal(),
        });
        Some((interval?, ts?, [open?, close?, high?, low?, volume?]))
    }

    /// The fields of an object, up to its end: `field` is given each name, and reads the value.
    fn fields(&mut self, mut field: impl FnMut(&mut Self, &'a [u8]) -> Option<()>) -> Option<()> {
        loop {
            self.skip(b"\"")?;
            let name = self.until_quote()?;
            self.skip(b":")?;
            field(self, name)?;
            if self.skip(b",").is_none() {
                return self.skip(b"}");
            }
            self.skip_space();
        }
    }

    fn object<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<T> {
        self.skip(b"{")?;
        read(self)
    }

    fn text<T>(&mut self, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.skip(b"\"")?;
        read(std::str::from_utf8(self.until_quote()?).ok()?)
    }

    /// As `text`, or none in one of its forms.
    fn maybe<T>(&mut self, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
        if self.skip_none().is_some() { Some(None) } else { self.text(read).map(Some) }
    }

    fn maybe_decimal(&mut self) -> Option<Option<Decimal>> {
        if self.skip_none().is_some() { Some(None) } else { self.decimal().map(Some) }
    }

    fn skip_none(&mut self) -> Option<()> {
        self.skip(b"\"\"").or_else(|| self.skip(b"\"NULL_VAL\""))
    }
}
