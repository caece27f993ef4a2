"""What encoding a text is likely in: texts of many languages, in those that they are found in."""

import io

import pytest

from cnntool.datasets.texts.encodings import likely_encodings, wide_encoding
from cnntool.datasets.texts.text import read_text
from cnntool.errors import InputError

DECLARATIONS = {
    "German": "Über die Brücke ging er früh, größer als süß. Die Äpfel kosten fünf Euro.",
    "English": "The quick brown fox — “naïve” café costs 5 €. It’s here.",
    "French": "L’été à la forêt, le garçon a mangé une pêche « très » mûre – cœur.",
    "Spanish": "¿Qué pasó mañana? El niño comió jamón aquí, ¡así está!",
    "Polish": "Zażółć gęślą jaźń. Źle się dzieje w państwie duńskim, gdyż łódź płynęła.",
    "Czech": "Příliš žluťoučký kůň úpěl ďábelské ódy. Děti šly včera večer domů.",
    "Hungarian": "Árvíztűrő tükörfúrógép. Az élet szép, és a győzelem örömét őrzi.",
    "Turkish": "Bütün insanlar özgür, değer ve haklar bakımından eşit doğar. Işık ve şık.",
    "Russian": "Привет, мир! Все счастливые семьи похожи друг на друга, каждая по-своему.",
    "Ukrainian": "Ще не вмерла України ні слава, ні воля, і нам, браття молодії",
    "Greek": "Καλημέρα κόσμε. Η γλώσσα μου έδωσαν ελληνική, το σπίτι φτωχικό.",
    "Hebrew": "בראשית ברא אלהים את השמים ואת הארץ והארץ היתה תהו ובהו",
    "Arabic": "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق",
    "Thai": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    "Chinese": "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。",
    "Taiwanese": "人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心。",
    "Japanese": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて。",
    "Korean": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
}
FIRST = [
    *(("German", each) for each in ("cp1252", "latin-1", "mac-roman", "cp437")),
    *(("English", "cp1252"), ("French", "cp1252"), ("Spanish", "latin-1")),
    *(("Polish", "cp1250"), ("Polish", "iso-8859-2"), ("Czech", "cp1250"), ("Czech", "iso-8859-2")),
    *(("Russian", each) for each in ("cp1251", "koi8-r", "cp866", "iso-8859-5")),
    *(("Ukrainian", "cp1251"), ("Ukrainian", "koi8-u"), ("Greek", "cp1253")),
    *(("Arabic", "cp1256"), ("Thai", "cp874"), ("Chinese", "gb18030"), ("Taiwanese", "big5")),
    *(("Japanese", "shift-jis"), ("Japanese", "euc-jp"), ("Korean", "euc-kr")),
]
AMONG = [("Hungarian", "cp1250"), ("Turkish", "cp1254"), ("Hebrew", "cp1255")]


@pytest.mark.parametrize(("language", "encoding"), [*FIRST, *AMONG])
def test_the_encoding_of_a_language_is_among_the_likely_ones(language, encoding):
    text = DECLARATIONS[language]
    data = text.encode(encoding)
    readings = [data.decode(each, "replace") for each in likely_encodings(data)]
    assert 1 <= len(readings) <= 3
    assert text in (readings[:1] if (language, encoding) in FIRST else readings)


@pytest.mark.parametrize("language", ["German", "Russian", "Thai"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le", "utf-32-be"])
def test_wide_characters_are_known_by_their_mark_or_their_zeros(language, encoding):
    data = f"{DECLARATIONS[language]}\n".encode(encoding)
    assert wide_encoding(data) == encoding
    with pytest.raises(InputError, match=f"--encoding {encoding}$"):
        list(read_text(io.BytesIO(data)))


@pytest.mark.parametrize(
    ("data", "encoding", "remedy"),
    [
        ("“naïve”\n".encode("cp1252"), "utf-8", "is not UTF-8: set --encoding cp1252"),
        ("привет".encode(), "ascii", "is not ASCII: set --encoding utf-8"),
        ("漢é\n".encode() + b"\xff\n", "utf-8", "with iconv -c -f utf-8 -t utf-8"),
        (b"\x89PNG\r\n\x1a\n\0\0", "utf-8", "a text takes its --encoding"),
        (b"\0\1\2\0a\n", "utf-8", "never does: a text takes its --encoding"),
        ("a\nprivé\n".encode("cp1252"), "idna", "(line 2) is not IDNA: set --encoding cp1252"),
        (b"\x8d\x81\x05\x9d\xffa\x02" * 3, "ascii", "set its true --encoding, or mend the file"),
    ],
)
def test_the_advice_fits_what_is_wrong(data, encoding, remedy):
    with pytest.raises(InputError) as raised:
        list(read_text(io.BytesIO(data), encoding))
    assert remedy in str(raised.value)
    assert "\n" not in str(raised.value)
