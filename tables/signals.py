"""What an event means: the closed vocabulary that scenarios listen to, besides the names of events themselves."""

CART_CHANGED = "cart_changed"
CART_EMPTIED = "cart_emptied"
CART_BOUNDED = "cart_bounded"
PRODUCT_VIEWED = "product_viewed"
CATEGORY_VIEWED = "category_viewed"
SEARCHED = "searched"
ORDERED = "ordered"
CONSENT_CHANGED = "consent_changed"

SEGMENT_ENTERED, SEGMENT_LEFT = "segment_entered:", "segment_left:"

SIGNALS = {
    CART_CHANGED: "the cart's lines changed and some are left",
    CART_EMPTIED: "the last line left the cart",
    CART_BOUNDED: "the cart had more lines than are kept; the newest stayed",
    PRODUCT_VIEWED: "a product page was viewed",
    CATEGORY_VIEWED: "three products of one category were viewed within 30 minutes",
    SEARCHED: "a search was made",
    ORDERED: "an order was completed",
    CONSENT_CHANGED: "consent to a channel was given or withdrawn",
}


def segment_entered(segment: str) -> str:
    """The signal that the customer came into a segment."""
    return SEGMENT_ENTERED + segment


def segment_left(segment: str) -> str:
    """The signal that the customer left a segment."""
    return SEGMENT_LEFT + segment
