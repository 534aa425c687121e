"""Pictures of the products, drawn as SVG: no files, no requests. Pure."""

from app.demo.catalogue import Product

_SHAPES = {
    "mug": '<path d="M34 38h44v38a10 10 0 0 1-10 10H44a10 10 0 0 1-10-10z" fill="{c}"/>'
    '<path d="M78 47h5a10 10 0 0 1 0 21h-5" fill="none" stroke="{c}" stroke-width="6"/><ellipse cx="56" cy="38" rx="22" ry="4" fill="{d}"/>',
    "bowl": '<path d="M24 50h72c0 22-16 36-36 36S24 72 24 50z" fill="{c}"/><ellipse cx="60" cy="50" rx="36" ry="6" fill="{d}"/>'
    '<path d="M48 85h24v5H48z" fill="{d}"/>',
    "teapot": '<circle cx="58" cy="64" r="25" fill="{c}"/><path d="M79 60c9-1 9-13 17-14l2 6c-6 1-6 18-18 19z" fill="{c}"/>'
    '<path d="M34 52c-16-2-16 24 2 24" fill="none" stroke="{c}" stroke-width="5"/><path d="M44 42c4-8 24-8 28 0z" fill="{d}"/>'
    '<circle cx="58" cy="33" r="4" fill="{d}"/>',
    "jug": '<path d="M42 32h32l5-4v10c0 8-5 10-5 20l4 22a6 6 0 0 1-6 7H48a6 6 0 0 1-6-7l4-22c0-10-4-12-4-26z" fill="{c}"/>'
    '<path d="M44 42c-14 0-14 24 1 26" fill="none" stroke="{d}" stroke-width="5"/>',
    "lamp": '<path d="M40 88h40" stroke="{d}" stroke-width="5" stroke-linecap="round"/><path d="M60 86V62L44 44" fill="none" stroke="{d}"'
    ' stroke-width="4"/><path d="M30 46l22-20 12 14-12 4z" fill="{c}"/><circle cx="44" cy="44" r="4" fill="{d}"/>',
    "dome": '<path d="M42 30h36l12 30H30z" fill="{c}"/><path d="M54 60h12l6 28H48z" fill="{d}"/>',
    "floor": '<path d="M46 24h28l8 22H38z" fill="{c}"/><path d="M60 46v44M46 92l14-10 14 10" fill="none" stroke="{d}" stroke-width="4"/>',
    "globe": '<circle cx="60" cy="52" r="26" fill="{c}"/><path d="M48 76h24l4 12H44z" fill="{d}"/>',
    "lantern": '<path d="M44 40h32v48H44z" fill="{c}"/><path d="M51 48h18v32H51z" fill="#fff6dc"/><path d="M60 78c-7-6-3-12 0-18 3 6 7 12 0 18z"'
    ' fill="#e3a540"/><path d="M40 40h40L68 28H52z" fill="{d}"/><path d="M54 28a6 6 0 0 1 12 0" fill="none" stroke="{d}" stroke-width="3"/>',
    "candle": '<path d="M50 46h20v42H50z" fill="{c}"/><path d="M60 46v-7" stroke="{d}" stroke-width="2"/>'
    '<path d="M60 40c-6-5-2-10 0-15 2 5 6 10 0 15z" fill="#e3903d"/>',
    "throw": '<path d="M28 40q32-12 64 0v42q-32-12-64 0z" fill="{c}"/><path d="M28 52q32-12 64 0M28 64q32-12 64 0" fill="none" stroke="{d}"'
    ' stroke-width="3"/><path d="M30 82v8M38 80v8M46 78v8M74 78v8M82 80v8M90 82v8" stroke="{d}" stroke-width="2"/>',
    "cushion": '<path d="M32 36q28 6 56 0-6 28 0 52-28-6-56 0 6-24 0-52z" fill="{c}"/><path d="M46 50l28 24M74 50L46 74" stroke="{d}" stroke-width="2"/>',
    "towel": '<path d="M38 30h44v56H38z" fill="{c}"/><path d="M38 44h44M38 72h44" stroke="{d}" stroke-width="4"/>',
    "rug": '<path d="M22 44h76v36H22z" fill="{c}"/><path d="M34 44v36M48 44v36M60 44v36M72 44v36M86 44v36" stroke="{d}" stroke-width="4"/>'
    '<path d="M22 44v36M98 44v36" stroke="{d}" stroke-width="4" stroke-dasharray="2 3"/>',
    "fern": '<path d="M60 68C50 40 36 36 24 42c14 2 24 10 34 28M60 68c10-28 24-32 36-26-14 2-24 10-34 28M60 68c-4-26-2-38 0-44 2 6 4 18 0 44" fill="{c}"/>'
    '<path d="M44 66h32l-4 24H48z" fill="#b8704f"/>',
    "leaf": '<path d="M60 66C30 62 26 36 34 24c30 2 34 24 26 42z" fill="{c}"/><path d="M60 66c24-2 32-18 28-32-22 0-30 14-28 32z" fill="{d}"/>'
    '<path d="M44 66h32l-4 24H48z" fill="#8d9296"/>',
    "cactus": '<rect x="52" y="26" width="17" height="44" rx="8" fill="{c}"/><path d="M52 54h-6a6 6 0 0 1-6-6v-6M69 48h6a6 6 0 0 0 6-6v-4" fill="none"'
    ' stroke="{c}" stroke-width="8" stroke-linecap="round"/><path d="M44 68h32l-4 22H48z" fill="#c9a878"/>',
    "tree": '<path d="M60 70V44" stroke="#7a5a40" stroke-width="4"/><circle cx="60" cy="38" r="18" fill="{c}"/><circle cx="48" cy="46" r="10" fill="{d}"/>'
    '<circle cx="72" cy="44" r="11" fill="{d}"/><path d="M44 68h32l-4 22H48z" fill="#b8704f"/>',
    "pot": '<path d="M34 36h52v12H34z" fill="{d}"/><path d="M38 48h44l-6 38H44z" fill="{c}"/><path d="M36 86h48v5H36z" fill="{d}"/>',
    "can": '<path d="M44 48h36v38H44z" fill="{c}"/><path d="M44 72L24 50l-4 4" fill="none" stroke="{c}" stroke-width="6"/>'
    '<path d="M80 54c18 2 18 24 0 26" fill="none" stroke="{d}" stroke-width="5"/><ellipse cx="62" cy="48" rx="18" ry="4" fill="{d}"/>',
}  # fmt: skip


def picture(product: Product) -> str:
    """The product as an SVG element."""
    shape = _SHAPES[product.shape].format(c=product.colour, d=_darker(product.colour))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 120" preserveAspectRatio="xMidYMid slice" aria-hidden="true">'
        f'<rect width="120" height="120" fill="{_pale(product.colour)}"/>{shape}</svg>'
    )


def _mix(colour: str, other: int, part: float) -> str:
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(value * (1 - part) + other * part):02x}" for value in parts)


def _darker(colour: str) -> str:
    return _mix(colour, 0, 0.25)


def _pale(colour: str) -> str:
    return _mix(colour, 255, 0.86)
