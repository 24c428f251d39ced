"""What a customer can want from the shop, how often, and in the words of the shop's own instructions.

An intent covers one or more topics; the texts for each topic are in `texts/`, this module holds only the list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Intent:
    """One value of the triage field `intent`, the topics that it covers, and the weight of each in the traffic."""

    name: str
    topics: Mapping[str, float]
    meaning: str


INTENTS: tuple[Intent, ...] = (
    Intent("track_order", {"track_order": 9}, "where a parcel is or when it comes, also if marked delivered"),
    Intent("cancel_order", {"cancel_order": 7}, "stop an order before it is sent"),
    Intent("change_address", {"change_address": 6}, "deliver to another address, or correct the address"),
    Intent(
        "return_item",
        {"return_item": 6, "exchange_size": 4},
        "give back goods that are in order but not wanted, or have another size or colour of the same article",
    ),
    Intent("refund_status", {"refund_status": 8}, "where the money for a returned or cancelled purchase is"),
    Intent(
        "item_problem",
        {"damaged_item": 4, "wrong_item": 3, "missing_item": 3},
        "what came is broken, is not what was ordered, or is not complete, whatever remedy is asked for",
    ),
    Intent(
        "payment_problem",
        {"payment_failed": 5, "double_charge": 4},
        "a payment does not go through, or more was taken than agreed",
    ),
    Intent("invoice_request", {"invoice_request": 6}, "an invoice, a receipt, or a corrected one"),
    Intent("discount_code", {"discount_code": 5}, "codes, vouchers, gift cards, reductions"),
    Intent("account_login", {"account_login": 6}, "cannot get into the account"),
    Intent("delete_account", {"delete_account": 5}, "close the account or erase personal data"),
    Intent("unsubscribe", {"unsubscribe": 5}, "no more newsletters or adverts"),
    Intent(
        "product_question",
        {"product_question": 5, "restock_question": 4},
        "a question about an article, its use, or when it is in stock again",
    ),
    Intent("complaint", {"complaint_service": 5}, "anger about staff, couriers or slow answers, with no other request"),
    Intent("praise", {"praise": 3}, "thanks or a compliment, with no request"),
    Intent("other", {"other": 3}, "everything else: jobs, offers, tests, wrong numbers"),
)

INTENT_OF: Mapping[str, str] = MappingProxyType({topic: intent.name for intent in INTENTS for topic in intent.topics})
"""topic -> the intent that covers it"""
TOPIC_SHARES: Mapping[str, float] = MappingProxyType(
    {t: share for intent in INTENTS for t, share in intent.topics.items()}
)
"""topic -> its weight in the traffic, not a percentage"""
