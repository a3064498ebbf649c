"""Numbers, dates, times, units and signs of a Chinese sentence spelled out.

The order and the readings are those that the models were trained on, odd ones included: ``3-5天`` is read as a
subtraction, ``20年`` digit by digit, three digits and more without a measure word digit by digit with 幺 for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from synthesis.text.zh.numbers import DIGITS, cardinal, decimal, spelled

Match = re.Match[str]
Rule = tuple[re.Pattern[str], Callable[[Match], str]]

# One character after a number is enough to know a measure word, except for these.
_MEASURES = (
    "年月日季刻时周天秒分旬纪岁世更夜春夏秋冬代伏辈"  # time
    "元角毛钱亿万千百"  # money and powers of ten
    "处台架枚趟幅平方堵间床株批项例列篇栋注亩封艘把目套段人所朵匹张座回场尾条个首阙阵网炮顶丘棵只支袭辆挑担颗壳窠曲墙群腔砣客贯"
    "扎捆刀令打手罗坡山岭江溪钟队单双对出口头脚板跳枝件贴针线管名位身堂课本页家户层丸泡粒幢堆根道面片块"  # things
    "丝毫厘两斤铢石钧锱忽寸尺丈里寻常铺程米撮勺合升斗吨"  # lengths and weights
    "盘碗碟叠桶笼盆盒杯斛锅簋篮罐瓶壶卮盏箩箱煲啖袋钵"  # vessels
)
_MEASURE = f"[{_MEASURES}]|微克|公分|小时|美元|十吨"
_WHOLE = "(?<![0-9])[0-9]+"
"""All digits of a number: trying each of its digits as the first would take time with the square of its length."""
_SIGNED = rf"(-?)({_WHOLE}(?:\.[0-9]+)?)"
_UNITS = {
    "cm2": "平方厘米", "cm²": "平方厘米", "cm3": "立方厘米", "cm³": "立方厘米", "cm": "厘米",
    "db": "分贝", "ds": "毫秒", "kg": "千克", "km": "千米", "m2": "平方米", "m²": "平方米", "m³": "立方米",
    "m3": "立方米", "ml": "毫升", "mm": "毫米", "m": "米", "s": "秒",
}  # fmt: skip
_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹ˣʸⁿ", "0123456789xyn")
_POWER = "[⁰¹²³⁴⁵⁶⁷⁸⁹ˣʸⁿ]"
_OPERATORS = {"+": "加", "-": "减", "×": "乘", "÷": "除", "=": "等于"}
_OPERAND = rf"(?:-?{_WHOLE}(?:\.[0-9]+)?{_POWER}*|\.[0-9]+{_POWER}*|[A-Za-z]{_POWER}*)"
_ARITHMETIC = re.compile(rf"({_OPERAND})([+\-×÷=])({_OPERAND})")
_CLOCK = r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?"


def _date(match: Match) -> str:
    year, month, day, kind = match.groups()
    words = f"{spelled(year)}年"
    if month:
        words += f"{cardinal(month)}月"
    if day:
        words += f"{cardinal(day)}{kind}"
    return words


def _dashed_date(match: Match) -> str:
    year, _, month, day = match.groups()
    return f"{spelled(year)}年{cardinal(month)}月{cardinal(day)}日"


def _padded(number: str) -> str:
    """Minutes and seconds: 05 is 零五."""
    return (DIGITS[0] if number.startswith("0") else "") + cardinal(number.lstrip("0"))


def _clock(hour: str, minute: str, second: str | None, *, half: bool) -> str:
    words = f"{cardinal(hour)}点"
    if minute.strip("0"):
        words += "半" if half and minute == "30" else f"{_padded(minute)}分"
    if second and second.strip("0"):
        words += f"{_padded(second)}秒"
    return words


def _time(match: Match) -> str:
    return _clock(match[1], match[2], match[3], half=True)


def _time_range(match: Match) -> str:
    # The end says 半 only when the beginning does.
    end = _clock(match[4], match[5], match[6], half=match[2] == "30")
    return f"{_clock(match[1], match[2], match[3], half=True)}至{end}"


def _signed(match: Match) -> str:
    return ("负" if match[1] else "") + decimal(match[2])


def _number(match: Match) -> str:
    return decimal(match[3]) if match[3] else _signed(match)


def _temperature(match: Match) -> str:
    return ("零下" if match[1] else "") + decimal(match[2]) + ("摄氏度" if match[3] == "摄氏度" else "度")


def _fraction(match: Match) -> str:
    return ("负" if match[1] else "") + f"{cardinal(match[3])}分之{cardinal(match[2])}"


def _percentage(match: Match) -> str:
    return ("负" if match[1] else "") + f"百分之{decimal(match[2])}"


def _mobile(match: Match) -> str:
    return "，".join(spelled(part, telephone=True) for part in match[0].strip("+").split())


def _landline(match: Match) -> str:
    return "，".join(spelled(part, telephone=True) for part in match[0].split("-"))


def _quantity(match: Match) -> str:
    count = decimal(match[1])
    more = "多" if match[2] == "+" else match[2] or ""
    return ("两" if count == "二" else count) + more + match[3]


def _rule(pattern: str, spell: Callable[[Match], str]) -> Rule:
    return re.compile(pattern), spell


_BEFORE_ARITHMETIC: tuple[Rule, ...] = (
    _rule(
        r"([0-9]{4}|[0-9]{2})年(?:(0?[1-9]|1[0-2])月)?(?:(0?[1-9]|[12][0-9]|30|31)([日号]))?",
        _date,
    ),
    _rule(r"([0-9]{4})([- /.])(0[1-9]|1[012])\2(0[1-9]|[12][0-9]|3[01])", _dashed_date),
    _rule(f"{_CLOCK}[~-]{_CLOCK}", _time_range),
    _rule(_CLOCK, _time),
    _rule(
        rf"((?:-?{_WHOLE}(?:\.[0-9]+)?|\.[0-9]+)(?:%|°C|℃|度|摄氏度|{_UNIT}))~(?=[-.0-9])",
        lambda match: f"{match[1]}至",
    ),
    _rule(rf"{_SIGNED}(°C|℃|度|摄氏度)", _temperature),
    # A unit is one when no Latin letter touches it.
    _rule(rf"(?<![A-Za-z])({_UNIT})(?![A-Za-z])", lambda match: _UNITS[match[1]]),
)
_AFTER_ARITHMETIC: tuple[Rule, ...] = (
    _rule(f"{_POWER}+", lambda match: f"的{match[0].translate(_POWERS)}次方"),
    _rule(rf"(-?)({_WHOLE})/([0-9]+)", _fraction),
    _rule(rf"{_SIGNED}%", _percentage),
    _rule(r"(?<![0-9])((\+?86 ?)?1([38][0-9]|5[0-35-9]|7[678]|9[89])[0-9]{8})(?![0-9])", _mobile),
    _rule(r"(?<![0-9])((0(10|2[1-3]|[3-9][0-9]{2})-?)?[1-9][0-9]{6,7})(?![0-9])", _landline),
    _rule(r"400-?[0-9]{3}-?[0-9]{4}", _landline),
    _rule(
        rf"(?<![0-9+\-×÷=]){_SIGNED}[-~]{_SIGNED}(?![0-9+\-×÷=])",
        lambda match: f"{'负' if match[1] else ''}{decimal(match[2])}到{'负' if match[3] else ''}{decimal(match[4])}",
    ),
    _rule(r"(-)([0-9]+)", lambda match: f"负{cardinal(match[2])}"),
    _rule(
        rf"{_WHOLE}(?:\.[0-9]+){{2,}}",
        lambda match: "".join("点" if char == "." else DIGITS[int(char)] for char in match[0]),
    ),
    _rule(rf"(-?)({_WHOLE}\.[0-9]+)|(\.[0-9]+)", _number),
    _rule(rf"({_WHOLE})([多余几+])?({_MEASURE})", _quantity),
    _rule(r"[0-9]{3,}", lambda match: spelled(match[0], telephone=True)),
    _rule(rf"{_SIGNED}|(\.[0-9]+)", _number),
)


def spell_out(sentence: str) -> str:
    """The sentence without digits: every number is words. The sentence is simplified Chinese with ASCII digits."""
    for pattern, spell in _BEFORE_ARITHMETIC:
        sentence = pattern.sub(spell, sentence)
    # Overlapping operands (1+2+3) need another pass; each pass removes an operator.
    while _ARITHMETIC.search(sentence):
        sentence = _ARITHMETIC.sub(lambda match: match[1] + _OPERATORS[match[2]] + match[3], sentence)
    for pattern, spell in _AFTER_ARITHMETIC:
        sentence = pattern.sub(spell, sentence)
    return sentence
