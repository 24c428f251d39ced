"""What a customer can want from the shop, how often, and in the words of the shop's own instructions.

The texts that express each intent are in `texts/`; this module holds only the list.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Intent:
    """One value of the triage field `intent`; `share` is its weight in the traffic, not a percentage."""

    name: str
    share: float
    meaning: str


INTENTS: tuple[Intent, ...] = (
    Intent(
        "track_order", 9, "where a parcel is or when it comes, also when it is marked as delivered but is not there"
    ),
    Intent("cancel_order", 6, "stop an order before it is sent"),
    Intent("change_address", 5, "deliver to another address, or correct the address"),
    Intent("return_item", 7, "give back goods that are in order but not wanted, or how to do it"),
    Intent("refund_status", 7, "where the money for a returned or cancelled purchase is"),
    Intent("exchange_size", 5, "the same article in another size or colour"),
    Intent("damaged_item", 6, "goods that arrived broken, dirty or faulty, whatever remedy is asked for"),
    Intent("wrong_item", 5, "something else than what was ordered came"),
    Intent("missing_item", 5, "the parcel came, a part of it did not"),
    Intent("payment_failed", 5, "a payment that does not go through"),
    Intent("double_charge", 4, "more money was taken than agreed, or twice"),
    Intent("invoice_request", 5, "an invoice, receipt or a corrected one"),
    Intent("discount_code", 4, "codes, vouchers, gift cards, reductions"),
    Intent("account_login", 5, "cannot get into the account"),
    Intent("delete_account", 3, "close the account or erase personal data"),
    Intent("unsubscribe", 4, "no more newsletters or adverts"),
    Intent("product_question", 6, "a question about an article or its use"),
    Intent("restock_question", 4, "when a sold-out article can be bought again"),
    Intent("complaint_service", 4, "anger about staff, couriers or slow answers, with no other request"),
    Intent("praise", 3, "thanks or a compliment, with no request"),
    Intent("other", 4, "everything else: jobs, offers, tests, wrong numbers"),
)
