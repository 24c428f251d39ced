"""Dates and ids in prompts: found in the spellings of many languages, and not where a number only stands in a rule."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.model import Asked, Message
from freehold.text.dates.calendar_words import calendar_words
from freehold.text.dates.dates import is_date, is_id, spots
from freehold.text.dates.moments import is_of, says_a_day
from freehold.text.prompts.fingerprint import mask
from freehold.text.prompts.template_induction import learn

DAYS = {
    "en": ("Thursday, May 28, 2026", "Friday, May 29, 2026", "Monday, June 1, 2026"),
    "en-GB": ("Thu 28 May 2026", "Fri 29 May 2026", "Mon 1 June 2026"),
    "ordinal": ("the 28th of May", "the 29th of May", "the 1st of June"),
    "weekday": ("Thursday", "Friday", "Monday"),
    "month": ("May", "May", "June"),
    "month and year": ("May 2026", "May 2026", "June 2026"),
    "iso": ("2026-05-28", "2026-05-29", "2026-06-01"),
    "iso time": ("2026-05-28T10:15:00Z", "2026-05-29T09:05:01Z", "2026-06-01T23:59:59Z"),
    "slashes": ("2026/05/28", "2026/05/29", "2026/06/01"),
    "us short": ("5/28/26", "5/29/26", "6/1/26"),
    "dots": ("28.05.2026", "29.05.2026", "01.06.2026"),
    "dots and spaces": ("28. 5. 2026", "29. 5. 2026", "1. 6. 2026"),
    "dashes": ("28-May-2026", "29-May-2026", "01-Jun-2026"),
    "roman": ("28.V.2026", "29.V.2026", "1.VI.2026"),
    "compact": ("20260528", "20260529", "20260601"),
    "unix": ("1779926400", "1780012800", "1780272000"),
    "unix ms": ("1779926400123", "1780012800456", "1780272000789"),
    "iso week": ("2026-W22", "2026-W22", "2026-W23"),
    "week": ("week 22 of 2026", "week 22 of 2026", "week 23 of 2026"),
    "quarter": ("Q2 2026", "Q2 2026", "Q3 2026"),
    "clock": ("10:15", "9:05", "23:59"),
    "clock 12": ("10:15 AM", "3:05 pm", "11 p.m."),
    "rfc": ("Thu, 28 May 2026 10:15:00 GMT", "Fri, 29 May 2026 00:00:00 GMT", "Mon, 01 Jun 2026 09:00:00 GMT"),
    "de": ("Donnerstag, 28. Mai 2026", "Freitag, 29. Mai 2026", "Montag, 1. Juni 2026"),
    "de short": ("28. Mai", "29. Mai", "1. Juni"),
    "de week": ("KW 22", "KW 22", "KW 23"),
    "fr": ("jeudi 28 mai 2026", "vendredi 29 mai 2026", "lundi 1er juin 2026"),
    "fr clock": ("28 mai 2026, 10h15", "29 mai 2026, 9h05", "1er juin 2026, 23h59"),
    "es": ("jueves, 28 de mayo de 2026", "viernes, 29 de mayo de 2026", "lunes, 1 de junio de 2026"),
    "es month": ("mayo", "mayo", "junio"),
    "pt": ("quinta-feira, 28 de maio de 2026", "sexta-feira, 29 de maio de 2026", "segunda-feira, 1 de junho de 2026"),
    "it": ("giovedì 28 maggio 2026", "venerdì 29 maggio 2026", "lunedì 1 giugno 2026"),
    "nl": ("donderdag 28 mei 2026", "vrijdag 29 mei 2026", "maandag 1 juni 2026"),
    "sv": ("torsdagen den 28 maj 2026", "fredagen den 29 maj 2026", "måndagen den 1 juni 2026"),
    "da": ("torsdag den 28. maj 2026", "fredag den 29. maj 2026", "mandag den 1. juni 2026"),
    "fi": ("torstai 28. toukokuuta 2026", "perjantai 29. toukokuuta 2026", "maanantai 1. kesäkuuta 2026"),
    "fi case": ("toukokuussa 2026", "toukokuussa 2026", "kesäkuussa 2026"),
    "pl": ("czwartek, 28 maja 2026", "piątek, 29 maja 2026", "poniedziałek, 1 czerwca 2026"),
    "cs": ("čtvrtek 28. května 2026", "pátek 29. května 2026", "pondělí 1. června 2026"),
    "hr": ("četvrtak, 28. svibnja 2026.", "petak, 29. svibnja 2026.", "ponedjeljak, 1. lipnja 2026."),
    "hu": ("2026. május 28., csütörtök", "2026. május 29., péntek", "2026. június 1., hétfő"),
    "ro": ("joi, 28 mai 2026", "vineri, 29 mai 2026", "luni, 1 iunie 2026"),
    "lv": ("2026. gada 28. maijs", "2026. gada 29. maijs", "2026. gada 1. jūnijs"),
    "tr": ("28 Mayıs 2026 Perşembe", "29 Mayıs 2026 Cuma", "1 Haziran 2026 Pazartesi"),
    "ru": ("четверг, 28 мая 2026 г.", "пятница, 29 мая 2026 г.", "понедельник, 1 июня 2026 г."),
    "uk": ("четвер, 28 травня 2026 р.", "пʼятниця, 29 травня 2026 р.", "понеділок, 1 червня 2026 р."),
    "bg": ("четвъртък, 28 май 2026", "петък, 29 май 2026", "понеделник, 1 юни 2026"),
    "el": ("Πέμπτη 28 Μαΐου 2026", "Παρασκευή 29 Μαΐου 2026", "Δευτέρα 1 Ιουνίου 2026"),
    "he": ("יום חמישי, 28 במאי 2026", "יום שישי, 29 במאי 2026", "יום שני, 1 ביוני 2026"),
    "ar": ("الخميس، ٢٨ مايو ٢٠٢٦", "الجمعة، ٢٩ مايو ٢٠٢٦", "الاثنين، ١ يونيو ٢٠٢٦"),
    "ar numbers": ("٢٠٢٦/٠٥/٢٨", "٢٠٢٦/٠٥/٢٩", "٢٠٢٦/٠٦/٠١"),
    "fa": ("پنجشنبه ۷ خرداد ۱۴۰۵", "جمعه ۸ خرداد ۱۴۰۵", "دوشنبه ۱۱ خرداد ۱۴۰۵"),
    "hi": ("गुरुवार, २८ मई २०२६", "शुक्रवार, २९ मई २०२६", "सोमवार, १ जून २०२६"),
    "bn": ("২৮ মে, ২০২৬", "২৯ মে, ২০২৬", "১ জুন, ২০২৬"),
    "ta": ("28 மே, 2026", "29 மே, 2026", "1 ஜூன், 2026"),
    "th": ("วันพฤหัสบดีที่ 28 พฤษภาคม 2569", "วันศุกร์ที่ 29 พฤษภาคม 2569", "วันจันทร์ที่ 1 มิถุนายน 2569"),
    "vi": ("28 tháng 5 năm 2026", "29 tháng 5 năm 2026", "1 tháng 6 năm 2026"),
    "id": ("Kamis, 28 Mei 2026", "Jumat, 29 Mei 2026", "Senin, 1 Juni 2026"),
    "zh": ("2026年5月28日星期四", "2026年5月29日星期五", "2026年6月1日星期一"),
    "zh numerals": ("二〇二六年五月二十八日", "二〇二六年五月二十九日", "二〇二六年六月一日"),
    "ja": ("2026年5月28日木曜日", "2026年5月29日金曜日", "2026年6月1日月曜日"),
    "ja short": ("2026年5月28日(木)", "2026年5月29日(金)", "2026年6月1日(月)"),
    "ja era": ("令和8年5月28日", "令和8年5月29日", "令和8年6月1日"),
    "ko": ("2026년 5월 28일 목요일", "2026년 5월 29일 금요일", "2026년 6월 1일 월요일"),
    "en words": ("May the twenty-eighth", "May the twenty-ninth", "June the first"),
    "it first": ("28 maggio", "29 maggio", "primo giugno"),
    "quarter in words": ("second quarter of 2026", "third quarter of 2026", "first quarter of 2027"),
    "de quarter": ("2. Quartal 2026", "3. Quartal 2026", "1. Quartal 2027"),
    "quarter first": ("2Q26", "3Q26", "1Q27"),
    "year and month": ("2026-05", "2026-06", "2027-01"),
    "month, slash, year": ("05/2026", "06/2026", "01/2027"),
    "day and month": ("28.05.", "29.05.", "01.06."),
    "month and day": ("05/28", "05/29", "06/01"),
    "day of the year": ("2026-148", "2026-149", "2027-001"),
    "spaced slashes": ("28 / 05 / 2026", "29 / 05 / 2026", "2 / 1 / 2027"),
    "underscores": ("2026_05_28", "2026_05_29", "2027_01_02"),
    "log line": ("28/May/2026:14:17:05 +0000", "29/May/2026:09:03:44 +0000", "01/Jun/2026:00:00:01 +0000"),
    "nanoseconds": ("1779969600123456000", "1780056000123456000", "1780315200123456789"),
    "message": ("281417Z MAY 26", "290903Z MAY 26", "011945Z JUN 26"),
    "de hour": ("Donnerstag, 28. Mai, 14 Uhr", "Freitag, 29. Mai, 9 Uhr", "Montag, 1. Juni, 17 Uhr"),
    "tr capitals": ("28 MAYIS 2026", "29 MAYIS 2026", "1 HAZİRAN 2026"),
    "uk weekday": ("четвер, 28.05.2026", "п'ятниця, 29.05.2026", "понеділок, 01.06.2026"),
    "ru case": ("четверг, 28.05", "пятницу, 29.05", "среду, 03.06"),
    "vi weekday": ("Thứ Năm, ngày 28 tháng 5", "Thứ Ba, ngày 2 tháng 6", "Chủ Nhật, ngày 7 tháng 6"),
    "ja weekday": ("5/28(木)", "5/29(金)", "12/1(火曜日)"),
    "ja era weekday": ("令和8年5月28日(木曜)", "令和8年5月29日(金曜)", "令和8年6月1日(月曜)"),
    "zh spoken": ("5月28号,礼拜四,下午2点半", "5月29号,礼拜五,上午9点", "6月1号,礼拜一,下午5点20分"),
    "zh quarter": ("2026年第二季度", "2026年第三季度", "2027年第一季度"),
    "roc": ("115/05/28", "115/05/29", "116/01/02"),
    "commit id": ("b3e0c93", "70b9609", "c5418d7"),
    "random id": ("nUXJyQNlH0sZBW5KYneP3", "E5ZtMtxvAmcBMLULTnY44", "X7Zl0NHQQ0x1Jr0FLKXLz"),
    "base64 id": ("L/TWNn0LxJg9Jtho9guoUg==", "f4FotTtRQkGzeIo/XNcjfw==", "nbXaZAY+v4Wm6mfSpPTSTA=="),
    "trace id": ("00-d03e968a93a5602489319d9cb277276c-89319d9cb277276c-01",
              "00-9d15c24d78a9adb97176f4d331bd7f5c-7176f4d331bd7f5c-01",
              "00-402db682cef02ce585795603ef16ed32-85795603ef16ed32-01"),
    "uuid": ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "6fa459ea-ee8a-3ca4-894e-db77e160355e",
             "886313e1-3b8a-5372-9b90-0c9aee199e5d"),
    "digest": ("deadbeef01", "0badc0de42", "c0ffee1234"),
    "mixed id": ("8fJ3kd02Xa99", "Zk4p02Qq81Lm", "7Hn2Rr55Tt10"),
}  # fmt: skip
HOSTS = (
    "You sort the messages of the service desk. Date: {}. Answer with one label.",
    "本システムは窓口の文章を分類します。基準日:{}。ラベルだけを返してください。",
    "Сортируй обращения клиентов банка. Дата: {} Отвечай одной меткой.",
)


def asked(prompt: str) -> Asked:
    return Asked(dialect="openai-chat", messages=(Message("system", prompt), Message("user", "Where is my card?")))


@pytest.mark.parametrize("spelling", DAYS)
def test_a_template_of_one_day_fits_the_next_ones(spelling: str) -> None:
    first, *later = DAYS[spelling]
    for host in HOSTS:
        template = learn([asked(host.format(first))] * 3)
        assert template.static_chars < len(host.format(first))
        for day in later:
            assert template.strip(asked(host.format(day))) == (Message("user", "Where is my card?"),), host.format(day)
        assert not template.fits(asked(host.format("not known")))
        assert not template.fits(
            asked(host.format(first).replace("label", "word").replace("ラ", "ル").replace("мет", "до"))
        )


def test_the_sweep_saw_many_spellings() -> None:
    assert len(DAYS) >= 60


@pytest.mark.parametrize("spelling", ["es", "de", "ru", "zh", "ar", "hi", "fr", "ordinal", "weekday", "month"])
def test_a_prompt_of_many_days_has_one_fingerprint(spelling: str) -> None:
    assert len({mask(HOSTS[0].format(day)) for day in DAYS[spelling]}) == 1


RULES = (
    "Answer in at most 5 words, within 30 days, in 3 to 5 sentences.",
    "You may set a label. Return the 2 best of 7, in order.",
    "Reply in 1 line; use a temperature of 20-30 degrees, section 3.14.",
    "Die 5 Kategorien sind unten genannt, den 3 Regeln folgend.",
    "Give per 100 units; son 5 etiquetas; 24h support, 3 weeks at most.",
    "Score it 10/12, version 2.10, IP 110.05.28.1, ISO 8601-2004.",
    "Use x264, utf-8, base64, sha256 or gpt-4o.",
    "3日以内に返信してください。5分で終わります。",
    "3일 이내에 답하세요.",
)


@pytest.mark.parametrize("rule", RULES)
def test_a_number_in_a_rule_is_no_date(rule: str) -> None:
    assert list(spots(rule)) == []
    changed = rule.replace("5", "6").replace("3", "4").replace("2", "9")
    assert not learn([asked(rule)] * 3).fits(asked(changed))


def test_what_follows_a_date_is_not_part_of_it() -> None:
    for text, found in (
        ("First sort, then answer; the second line comes first. May the best win.", []),
        ("in May 2026, 5 words", ["May 2026"]),
        ("on 28 May 2026. 5 labels", ["28 May 2026"]),
        ("5/28/26 and 17 more", ["5/28/26"]),
        ("You may pay. May the best win.", []),
    ):
        assert [text[s.start : s.end] for s in spots(text)] == found


def test_values_of_hidden_gaps() -> None:
    assert all(is_date(day) for name, days in DAYS.items() for day in days if "id" not in name and name != "digest")
    for text in ("", "soon", "not known", "Thursday at the bank", "in two days", "2026-05-28\n", "May " * 40):
        assert not is_date(text), text
    assert is_id("A-4411")
    assert is_id("17")
    assert not is_id("A 4411")
    assert not is_id("none")


def test_todays_date_is_told_by_the_moment() -> None:
    noon = 1_779_969_600.0  # 2026-05-28, 12:00 UTC
    todays = ("2026-05-28", "28 de mayo de 2026", "5/28/26", "Thursday", "28. Mai", "2026年5月28日", "May 2026",
              "Q2 2026", "2026-W22", "20260528", "1779926400", "2026-05-29", "2026-05-27",
              "28 พฤษภาคม 2569")  # fmt: skip
    assert all(is_of(day, noon) for day in todays)
    assert not any(is_of(day, noon) for day in ("2024-05-01", "3 May 2024", "Monday", "June 2026", "1579926400"))
    assert is_of("10:15", noon) is None
    assert says_a_day("28 May")
    assert says_a_day("Thursday")
    assert not says_a_day("May 2026")


def test_the_words_are_those_of_many_languages() -> None:
    words = calendar_words()
    assert len(words.months) > 700
    assert len(words.weekdays) > 500
    assert words.months["mayo"] == {5}
    assert words.months["listopad"] == {10, 11}


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet="may 28.,:/-T年月日de2026\n", max_size=80))
def test_spots_are_in_order_and_lie_in_the_text(text: str) -> None:
    found = spots(text)
    assert all(0 <= spot.start < spot.end <= len(text) for spot in found)
    assert all(one.end <= other.start for one, other in pairwise(found))
    is_date(text)
    is_id(text)
    mask(text)


def test_long_texts_take_time_in_proportion() -> None:
    for unit in ("28 may ", "a1b2c3d4", "2026-", "may may ", "1:", "x" * 7, "年月1", "- "):
        begun = time.process_time()
        spots(unit * (190_000 // len(unit)))
        assert time.process_time() - begun < 5.0, unit
