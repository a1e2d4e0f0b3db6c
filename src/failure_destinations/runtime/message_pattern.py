"""Reduce an error's message to what is the same each time the error happens."""

from __future__ import annotations

import re
from collections.abc import Callable

PLACEHOLDER = "*"
# A longer message counts up to here, before and after its values are replaced.
MAX_MESSAGE_CHARACTERS = 4096
MAX_PATTERN_CHARACTERS = 300
_MAX_PASSES = 5

# Lambda's own prefixes: `RequestId: 6f1d… Error: ` and `2026-11-02T03:03:11.412Z 6f1d… `.
_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_PREFIX = re.compile(
    rf"\s*(?:RequestId: [\w-]{{1,64}}(?: Error:)?|\d{{4}}-\d\d-\d\dT[\d:.]{{1,20}}Z? {_UUID})\s+"
)
# The beginning of JSON, or of an object as Python or JavaScript prints it.
_OBJECT = re.compile(r"""\{\s{0,8}["']|\[\s{0,8}\{""")
_BRACKET = re.compile(r"[\[\]{}]")
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},?\s"
_CLOCK = r"\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d{1,9})?(?:\s?[AaPp]\.?[Mm]\b)?"
_ZONE = r"(?:\s?(?:Z|UTC|GMT)\b|\s?[+-]\d\d:?\d\d\b)"
_HEX = "[0-9a-fA-F]"
_IPV6 = rf"(?={_HEX}|::)(?:{_HEX}{{0,4}}:){{2,7}}(?:{_HEX}{{1,4}}|(?<=::))(?:%\w{{1,16}})?"
# Chinese, Japanese and Korean put no space before and after a quoted value.
_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_OPENS = rf"(?<![^\W{_CJK}])[bBrRuUfF]{{0,2}}"
_CLOSES = rf"(?![^\W{_CJK}])"
# Node says what it could not parse: one character, and the text around it.
_JSON_TOKEN = re.compile(
    r"(?<=Unexpected token ).{1,120}?(?= in JSON\b| is not valid JSON\b)", re.DOTALL
)
_NAME = r"""['"`](?:\.{1,2}/)?[@$#A-Za-z_][\w$./@:-]{0,100}['"`]"""
_NAMES = rf"{_NAME}(?:(?:,|\sand|,\sand)\s{_NAME}){{0,20}}"
_SCHEMA_NAME = r"""(?<!\w)['"`][\w.$*-]{1,200}['"`]"""
_AFTER_STATUS = (
    "for|from|on|after|to|when|with|in|at|by|and|but|while|because|instead|not|error|response"
)

# Each alternative takes a bounded number of steps at each position, or consumes what it looked at.
_PART = re.compile(
    rf"""
    (?P<code>  # Names of code that languages and libraries quote in their own errors.
        \b(?:(?:attribute|module|module\snamed|import|import\smodule|keyword\sargument
                |for\sargument|local\svariable|free\svariable|type\sobject|argument\sof\stype
                |find\spackage|export\snamed)\s{_NAME}
          | name\s{_NAME}(?=\sis\snot\sdefined)
          | access\s{_NAME}(?=\sbefore\sinitialization)
          | import\sname\s{_NAME}(?:\sfrom\s{_NAME})?
          | property\s{_NAME}\sof\s{_NAME}
          | required\s(?:positional\s|keyword-only\s)?arguments?:\s{_NAMES}
          | instances\sof\s{_NAMES}
          | type\(s\)\sfor\s\S{{1,4}}:\s{_NAMES}
          | [Ee]nvironment\svariables?:?\s{_NAMES}
          | parameter\sin\s[\w.*\[\]]{{1,100}}:\s{_NAME}
          | undefined\s(?:local\svariable\sor\s)?method\s['"`][^\s'"`]{{1,100}}['"`]
          | Cannot\s(?:invoke|read\sfield|assign\sfield)\s"[^"\n]{{1,200}}"
          | return\svalue\sof\s"[^"\n]{{1,200}}")
      | \((?:reading|setting)\s{_NAME}
      | (?=')(?<!\w)'[A-Za-z_][\w.]{{0,100}}'(?=\s(?:object|module)\b)
      | (?=")(?<!\w)"[A-Za-z_][\w.]{{0,100}}"(?=\s(?:argument|property)\b)
    )
    | (?P<schema>  # Names that databases quote. Partitions and tenants may have a number each.
        \b(?:[Cc]olumn(?:\sname)?|[Oo]bject\sname|[Rr]elation|[Cc]onstraint)\s{_SCHEMA_NAME}
      | \b[Tt]able\s{_SCHEMA_NAME}(?=\sdoes)
      | {_SCHEMA_NAME}(?=:\sinvalid\sidentifier)
    )
    | (?P<assembly> \bCould\snot\sload\s(?:file\sor\sassembly|type)\s
        ['"][\w.+`-]{{1,200}}(?:,[^'"\n]{{0,300}})?['"]
    )
    | (?P<status>
        \b(?:(?i: (?:status\scode|status|HTTP) )[\s:=]{{1,3}}[1-5]\d\d\b
          | (?:returned|responded|answered)(?:\swith)?(?:\san?)?\s[45]\d\d
                (?![\w%]|[.,:]\d|\s(?!(?:{_AFTER_STATUS})\b)[a-z])  # 450 rows are no status.
          | (?:ORA|PLS|TNS)-\d{{5}}\b
          | SQLSTATE(?:\[|[:=]?\s?)[0-9A-Z]{{5}}\b)
    )
    | (?P<url> (?<!\w)[A-Za-z][A-Za-z0-9+.-]{{1,20}}://[^\s'"<>`|\\]+ )
    | (?P<request> (?<!\w)(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)\s/[^\s'"<>`|\\]* )
    | (?P<arn> \barn:[a-z-]{{1,20}}:[a-z0-9-]{{1,40}}:[^\s'",;()\[\]{{}}]+ )
    | (?P<value>
        (?<![\w.+%@-])[\w.+%-]{{1,64}}@[\w-]{{1,63}}(?:\.[\w-]{{1,63}}){{0,8}}
      | (?<![\w-]){_UUID}(?![\w-])
      | \d{{4}}-\d\d-\d\d[T\s_]{_CLOCK}{_ZONE}?
      | (?:{_DAY})?\d{{1,2}}[\s-]{_MONTH}[\s,-]{{1,2}}\d{{4}}(?:[\s,T]{{1,2}}{_CLOCK}{_ZONE}?)?
      | (?:{_DAY})?{_MONTH}\s{{1,2}}\d{{1,2}}(?:\s{_CLOCK}{_ZONE}?)?,?(?:\s\d{{4}}\b)?
            (?:[\s,]{{1,2}}{_CLOCK}{_ZONE}?)?
      | \d{{1,4}}[./-]\d{{1,2}}[./-]\d{{2,4}},?[\sT]{_CLOCK}{_ZONE}?
      | (?<![\w:.])\d{{1,2}}(?:(?::\d\d){{1,2}}(?:[.,]\d{{1,9}})?\s?[AaPp]\.?[Mm]|\s?[AP]M)\b
      | \[{_IPV6}\]:\d{{1,5}}(?!\w)
      | (?<![\w:]){_IPV6}(?::\d{{1,5}})?(?!\w|:[\w:])
      | <Buffer(?:\s{_HEX}{{2}})*[^<>]{{0,40}}>
      | (?:\\x{_HEX}{{2}})+
      | (?<!\w)(?:{_HEX}{{2}}[\s:-]\s?){{3,}}{_HEX}{{2}}(?!\w)
      | {_OPENS}'[^'\n]*(?:(?<=\w)'(?=\w)[^'\n]*){{0,4}}'{_CLOSES}
      | {_OPENS}"[^"]*"
      | `[^`]*` | “[^“”]*” | ”[^“”]*” | „[^„“”]*[“”]
      | [‘‚](?:[^‘’‚]|’(?=\w))*[‘’] | «[^«»]*» | »[^«»]*« | ‹[^‹›]*› | ›[^‹›]*‹
      | 「[^「」]*」 | 『[^『』]*』 | 《[^《》]*》
      | (?<![\w.])[A-Za-z]:\\[^\s'"<>|:;,)]+
      | (?<![\w.~/])(?:~|\.{{1,2}})?/[\w.@%+=~-]+(?:/[\w.@%+=~-]*)+
      | (?<![\w./])(?:~|\.{{1,2}})/[\w.@%+=~-]+
      | (?<![\w./-])[\w-]{{1,100}}(?:[./][\w-]{{1,100}}){{0,10}}\.(?:csv|jsonl?|xml|txt|pdf
            |png|jpe?g|gif|zip|gz|tgz|tar|parquet|avro|orc|xlsx?|docx?|log|html?|ya?ml|tmp|bak|mp[34])\b
    )
    | (?P<named>
        (?P<name>
            (?i: \b(?:request|trace|correlation|message|host)[\s_-]?id )(?:[:=]\s?|\s(?=\S*\d))
          | (?<!\w)[A-Za-z_]{{0,40}}?
                (?:(?<![A-Za-z])(?:id|key|token|guid|etag|hash|ref)|(?<=[a-z])(?:Id|ID|Key|Token))=
        ) [^\s'",;:()\[\]{{}}]+
    )
    | (?P<sign> (?<![\w*)])[+-](?=\d) )
    | (?P<joined> [A-Za-z0-9_+/=~-]{{16,}} )
    | (?P<word> [^\W_]+ )
    """,
    re.VERBOSE,
)
_WORD = re.compile(r"[^\W_]+")
_CASE_RUN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
# Words of the trade that have a digit, alone or at the beginning of a name such as S3UploadError.
_TECHNICAL = (
    "s3 ec2 r53 route53 oauth2 http2 http3 ipv4 ipv6 md5 sha1 sha256 sha384 sha512 utf8 utf16 "
    "base64 base32 x86 x64 arm64 aes256 hs256 rs256 es256 int8 int16 int32 int64 uint8 uint16 "
    "uint32 uint64 float32 float64 k8s i18n x509 gzip2 bz2 mp3 mp4 log4j neo4j db2 ed25519 "
    "oauth1 python3 boto3 psycopg2 urllib3 http1 v4 sigv4"
)
_TECHNICAL_WORDS = frozenset(_TECHNICAL.split())
_TECHNICAL_PREFIX = re.compile(
    rf"\A(?:{'|'.join(sorted(_TECHNICAL_WORDS, key=len, reverse=True))})(?=[a-z]{{3}})",
    re.IGNORECASE,
)
_HEX_DIGITS = frozenset("abcdefABCDEF")
_REPEATED = re.compile(r"\*(?:[\s,;:./_+|&=~-]{1,3}\*)+")
_URL_WORD = re.compile(r"[A-Za-z_][A-Za-z_-]{0,39}|v[0-9]{1,2}")
_CUT_QUOTE = re.compile(r"""(?<!\w)['"][^'"]*\Z""")
_UUID_IN_NAME = re.compile(rf"{_HEX}{{8}}[_-](?:{_HEX}{{4}}[_-]){{3}}{_HEX}{{12}}")
_QUOTE = re.compile("['\"`]")
_RANDOM_CHARACTERS = 16
_RANDOM_RUN = 2.8
_NAME_RUN = 5
# No vowel in a word, five consonants or four vowels in a row, pairs that English does not have, or
# a digit inside.
_UNPRONOUNCEABLE = re.compile(
    r"(?<![A-Z])[A-Z][b-df-hj-np-tv-xz]{2,}(?![a-z])|[b-df-hj-np-tv-xz]{5}|[aeiou]{4}"
    r"|[jq][b-df-hj-np-tv-z]|[vwxz][qjxzk]|[a-z][0-9]+[a-zA-Z]|[A-Z]{3}[a-z]{1,2}(?![a-z])"
)
_ACRONYM = re.compile(r"Http|Html|Xml|Sql|Rpc|Tls|Ssl|Dns|Jwt|Kms|Sns|Sqs|Vpc|Rds|Ssm|Sts")
_HASH_CHARACTERS = 8


def normalise(text: str) -> str:
    """Replace in an error's message what differs each time it happens, by `*`.

    Replaced are numbers and words with a digit, UUIDs, hashes and other random text, ARNs but for
    their service, timestamps, quoted values, JSON, e-mail, IP and hex addresses, request ids, file
    paths, and of URLs everything but the host and the words of the path. Lambda's own prefixes with
    a request id are removed. HTTP status codes stay, and so do the names of code and the codes that
    languages, databases and boto3 write in their own errors, as in `No module named 'orders'`:
    `docs/notifications.md` lists them.

    It takes linear time. Characters after the first 4,096 do not count.

    Args:
        text: The message. It may be hostile: the result is not made fit to print.

    Returns:
        The rest on one line, of at most 300 characters. Normalising it again changes nothing for
        messages of that length.
    """
    is_cut = len(text) > MAX_MESSAGE_CHARACTERS
    text = text[:MAX_MESSAGE_CHARACTERS]
    # A placeholder can make a value of what is beside it: ''1 becomes ''*, then **.
    for _ in range(_MAX_PASSES):
        before, text = text, _replaced(text, is_cut)
        if text == before:
            break
    return text[:MAX_PATTERN_CHARACTERS]


def _replaced(text: str, is_cut: bool) -> str:
    # An escaped quote would end the quoted value.
    text = text.replace('\\"', "").replace("\\'", "")
    text = _JSON_TOKEN.sub(PLACEHOLDER, without_prefix(text))
    text = _without_objects(text)
    text = _PART.sub(_replacement, text)
    if is_cut:
        text = _CUT_QUOTE.sub(PLACEHOLDER, text)
    return _REPEATED.sub(PLACEHOLDER, " ".join(text.split()))


def without_prefix(text: str) -> str:
    """Return an error's message without the request id that Lambda puts before it."""
    prefix = _PREFIX.match(text)
    return text[prefix.end() :] if prefix else text


def _without_objects(text: str) -> str:
    """Replace JSON objects, and lists of them, by `*`."""
    kept: list[str] = []
    at = 0
    for match in _OBJECT.finditer(text):
        if match.start() < at:
            continue
        kept += (text[at : match.start()], PLACEHOLDER)
        at = _end_of_object(text, match.start())
    return "".join((*kept, text[at:]))


def _end_of_object(text: str, start: int) -> int:
    """Return where the brackets are closed; the end of the text if they are not."""
    depth = 0
    for match in _BRACKET.finditer(text, start):
        depth += 1 if match[0] in "[{" else -1
        if depth == 0:
            return match.end()
    return len(text)


def _replacement(match: re.Match[str]) -> str:
    kind, part = match.lastgroup or "", match[0]
    if kind == "named":
        return f"{match['name']}{PLACEHOLDER}"
    return _REPLACEMENTS[kind](part)


def _joined(text: str) -> str:
    return PLACEHOLDER if _is_random(text) else _words(text)


def _word(word: str) -> str:
    """Return a word of letters and digits as it is, or the placeholder if it is a value."""
    if word.casefold() in _TECHNICAL_WORDS:
        return word
    if any(char.isdigit() for char in _TECHNICAL_PREFIX.sub("", word)):
        return PLACEHOLDER
    is_hash = len(word) >= _HASH_CHARACTERS and _HEX_DIGITS.issuperset(word)
    return PLACEHOLDER if is_hash or _is_random(word) else word


def _is_random(text: str) -> bool:
    """Return whether long text looks like an id: capitals only, or cases that change all the time.

    A name such as `ConditionalCheckFailedException` has long runs of one case that a person can
    pronounce.
    """
    text = _ACRONYM.sub("", _TECHNICAL_PREFIX.sub("", text))
    if len(text) < _RANDOM_CHARACTERS or not text.isascii():
        return False
    if text.isalnum() and text.isupper():
        return True
    if text.islower() or text.isupper():
        return False
    mean = len(text) / (len(_CASE_RUN.findall(text)) or 1)
    return mean < _RANDOM_RUN or (mean < _NAME_RUN and bool(_UNPRONOUNCEABLE.search(text)))


def _schema(text: str) -> str:
    return _words(_UUID_IN_NAME.sub(PLACEHOLDER, text))


def _words(text: str) -> str:
    return _WORD.sub(lambda word: _word(word[0]), text)


def _code(text: str) -> str:
    """Keep the quoted names as they are, but no values before them."""
    start = _QUOTE.search(text)
    at = start.start() if start else 0
    return _words(text[:at]) + text[at:]


def _assembly(text: str) -> str:
    """Remove the version from an assembly's name."""
    name, comma, _ = text.partition(",")
    return name + text[-1] if comma else text


def _url(url: str) -> str:
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    # The host, without name and password.
    host = _words(authority.rpartition("@")[2].partition("?")[0])
    return f"{scheme}://{host}{_path(slash + path)}"


def _path(path: str) -> str:
    path = re.split(r"[?#]", path, maxsplit=1)[0].rstrip(".,;:)]}")
    return "/".join(
        segment if not segment or _URL_WORD.fullmatch(segment) else PLACEHOLDER
        for segment in path.split("/")
    )


def _request(request: str) -> str:
    method, _, path = request.partition(" ")
    return f"{method} {_path(path)}"


def _arn(arn: str) -> str:
    return ":".join((*arn.split(":")[:3], PLACEHOLDER))


def _kept(text: str) -> str:
    return text


# By the names of the groups of _PART.
_REPLACEMENTS: dict[str, Callable[[str], str]] = {
    "code": _code,
    "schema": _schema,
    "assembly": _assembly,
    "status": _kept,
    "url": _url,
    "request": _request,
    "arn": _arn,
    "value": lambda _: PLACEHOLDER,
    "sign": lambda _: "",
    "joined": _joined,
    "word": _word,
}
