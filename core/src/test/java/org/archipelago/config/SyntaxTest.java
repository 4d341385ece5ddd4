package org.archipelago.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SyntaxTest {
    private static final String VALUES =
            "; allowed: a whole number, a string in quotes, True, False, None, [list], (tuple) or {dict}";
    private static final String NUMBERS = "; allowed: whole numbers such as 17, 0x11, 0o21, 0b10001 or 1_000";
    private static final String SIGNS = " has no meaning here; allowed: one NAME = value a line, and + - * // between whole numbers";
    private static final String ESCAPES = "the backslash begins no escape that is known"
            + "; allowed: \\\\ \\' \\\" \\a \\b \\f \\n \\r \\t \\v \\ooo \\xhh \\uhhhh \\Uhhhhhhhh";
    private static final String LARGEST = "; allowed: whole numbers up to 9223372036854775807";

    private static List<Literal.Entry> parse(String text) {
        List<SyntaxException> errors = new ArrayList<>();
        List<Literal.Entry> entries = Parser.parse(text, errors);
        assertThat(errors).as(text).isEmpty();
        return entries;
    }

    private static String value(String literal) {
        return parse("A = " + literal + "\n").get(0).value().toString();
    }

    private static void assertError(String text, String expected) {
        assertThat(Sample.refusals(text)).as(text).containsExactly("test.conf:" + expected);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "0 | 0", "00 | 0", "17 | 17", "1_000_000 | 1000000", "0x1F | 31", "0Xff_ff | 65535", "0o17 | 15", "0O7_7 | 63",
        "0b101 | 5", "0B1_1 | 3", "0x_f | 15", "-5 | -5", "+5 | 5", "--5 | 5", "-+-5 | 5", "- 5 | -5",
        "4 * 1024 | 4096", "2 + 3 * 4 | 14", "(2 + 3) * 4 | 20", "7 // 2 | 3", "-7 // 2 | -4", "10 - 3 - 2 | 5",
        "100 // 5 // 2 | 10", "2 * -3 | -6", "((1)) | 1", "9223372036854775807 | 9223372036854775807",
        "-9223372036854775807 - 1 | -9223372036854775808", "7 // -1 | -7",
    })
    void wholeNumbers(String written, String read) {
        assertThat(value(written)).isEqualTo(read);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "True | True", "False | False", "None | None", "[] | []", "() | ()", "{} | {}", "[1] | [1]", "(1) | 1",
        "(1,) | (1,)", "(1, 2,) | (1, 2)", "[[1, 2], (3,), {'a': [4]}] | [[1, 2], (3,), {'a': [4]}]",
        "{'a': 1, \"b\": 'x',} | {'a': 1, 'b': 'x'}", "{'a' 'b': -1} | {'ab': -1}",
    })
    void otherLiterals(String written, String read) {
        assertThat(value(written)).isEqualTo(read);
    }

    @Test
    void strings() {
        assertThat(value("'a' \"b\" '''c'''")).isEqualTo("'abc'");
        assertThat(value("\"it's\"")).isEqualTo("'it\\'s'");
        assertThat(value("''")).isEqualTo("''");
        assertThat(value("''''''")).isEqualTo("''");
        assertThat(value("'''a'b''c'''")).isEqualTo("'a\\'b\\'\\'c'");
        assertThat(value("'''a\nb'''")).isEqualTo("'a\\nb'");
        assertThat(value("\"\"\"a\\\nb\"\"\"")).isEqualTo("'ab'");
        assertThat(value("'a\\\nb'")).isEqualTo("'ab'");
        assertThat(value("'# no comment'")).isEqualTo("'# no comment'");
        assertThat(value("'é€😀'")).isEqualTo("'\\xe9\\u20ac\\U0001f600'");
        Literal text = parse("A = '\\\\ \\' \\\" \\a\\b\\f\\n\\r\\t\\v \\101\\60\\0 \\x41 \\u20ac \\U0001F600'").get(0).value();
        assertThat(((Literal.Text) text).value()).isEqualTo("\\ ' \" \u0007\b\f\n\r\t\u000b A0\0 A € 😀");
        assertThat(value("'\\1234'")).isEqualTo("'S4'");
    }

    @Test
    void layout() {
        String text = "# first\n\n  # indented comment\nA=1# x\nB = [ # y\n1,\n\n  2 # z\n]\nC = 1 + \\\n 2\n"
                + "D = (1 +\n2)\nE = 'a' \\\n  'b'\n\t\nF = ('a'\n'b')";
        assertThat(parse(text).stream().map(e -> e.key() + e.value()).collect(Collectors.toList()))
                .containsExactly("A1", "B[1, 2]", "C3", "D3", "E'ab'", "F'ab'");
        assertThat(parse(text).get(5).at()).isEqualTo(new Position(17, 1));
        assertThat(parse("")).isEmpty();
        assertThat(parse("# only a comment")).isEmpty();
    }

    @Test
    void everyLineEndCounts() throws ConfigurationException {
        for (String end : List.of("\n", "\r\n", "\r")) {
            String text = (Sample.RANGES + Sample.ROLES).replace("\n", end);
            Configuration c = Sample.read("\ufeff" + text);
            assertThat(c.role("d").orElseThrow().ports()).isEqualTo(new PortRange(30, 31));
            assertThat(c.line("d", "portno_start")).isEqualTo(10);
        }
    }

    @Test
    void namesAndCalls() {
        assertError("A = foo", "1:5: 'foo' is a name where a value is due" + VALUES);
        assertError("A = true", "1:5: 'true' is a name where a value is due" + VALUES);
        assertError("A = [x for x in y]", "1:6: 'x' is a name where a value is due" + VALUES);
        assertError("A = dict(a=1)", "1:5: 'dict(' is a call, and this file is not executed" + VALUES);
        assertError("A = os.environ", "1:7: '.'" + SIGNS);
        assertError("A = B = 1", "1:5: 'B' is a name where a value is due" + VALUES);
        String data = "; allowed: an '=' and a value, since this file is data and is not executed";
        assertError("import os", "1:8: 'os' follows 'import'" + data);
        assertError("exit(1)", "1:5: '(' follows 'exit'" + data);
        assertError("A", "1:2: the end of the file follows 'A'" + data);
        assertError("A 1", "1:3: 1 follows 'A'" + data);
        assertError("A 'x'", "1:3: a string follows 'A'" + data);
        assertError("A: 1", "1:2: ':' follows 'A'" + data);
        assertError("n" + "a".repeat(64) + " = 1", "1:1: a name of 65 characters; allowed: names of at most 64");
    }

    @Test
    void lines() {
        assertError("A =\n", "1:4: the end of the line where a value is due" + VALUES);
        assertError("A =", "1:4: the end of the file where a value is due" + VALUES);
        assertError(" A = 1", "1:2: 'A' is indented; allowed: NAME = value from column 1 on");
        assertError("1 = 1", "1:1: 1 cannot begin a line; allowed: NAME = value");
        assertError("'a' = 1", "1:1: a string cannot begin a line; allowed: NAME = value");
        assertError("A = 1 2", "1:7: 2 follows the value of 'A'; allowed: the end of the line");
        assertError("A = 1, 2", "1:6: ',' follows the value of 'A'; allowed: the end of the line");
        assertError("A = (1))", "1:8: ')' follows the value of 'A'; allowed: the end of the line");
        assertError("A = 1 if 1 else 2", "1:7: 'if' follows the value of 'A'; allowed: the end of the line");
        assertError("A = 'a', 'b'", "1:8: ',' follows the value of 'A'; allowed: the end of the line");
    }

    @ParameterizedTest
    @CsvSource({"A = 1; B = 2,6,;", "A = 2 ** 3,7,**", "A = 1 << 3,7,<<", "A = 8 >> 1,7,>>", "A += 1,3,+=", "A //= 1,3,//=",
        "A == 1,3,==", "A = 7 / 2,7,/", "A = 7 % 2,7,%", "A = 7 | 2,7,|", "A = 7 & 2,7,&", "A = 7 ^ 2,7,^", "A = ~7,5,~",
        "A = 1 < 2,7,<", "A = 1 > 2,7,>", "A = 1 <= 2,7,<=", "A = 1 != 2,7,!=", "A = (b := 2),8,:=", "@a,1,@", "A = ...,5,.",
        "A = .5,5,.", "A -> 1,3,->", "A = ?,5,?"})
    void otherSigns(String text, int column, String sign) {
        assertError(text, "1:" + column + ": '" + sign + "'" + SIGNS);
    }

    @Test
    void characters() {
        String allowed = " has no meaning here; allowed: names, whole numbers, strings in ' or \", [list], (tuple), {dict} and # comments";
        assertError("A = “x”", "1:5: the character (U+201C)" + allowed);
        assertError("A = 1\u00a0", "1:6: the character (U+00A0)" + allowed);
        assertError("é = 1", "1:1: the character (U+00E9)" + allowed);
        assertError("A = 😀", "1:5: the character (U+1F600)" + allowed);
        assertError("A = \0", "1:5: the character (U+0000)" + allowed);
        assertError("A = $x", "1:5: the character '$' (U+0024)" + allowed);
        assertError("A = 1 \\ 2", "1:7: the character '\\' (U+005C)" + allowed);
    }

    @ParameterizedTest
    @CsvSource({"1.5", "1.", "1e3", "1E5", "1.5e3", "1j", "007", "0_7", "1__0", "1_", "0x", "0x_", "0xg", "0o8", "0b2", "12ab",
        "10L", "1.2.3", "0_x1", "192.168.0.1"})
    void numbersThatAreNot(String number) {
        assertError("A = " + number, "1:5: " + number + " is no whole number" + NUMBERS);
        assertError("A = [1, " + number + "]", "1:9: " + number + " is no whole number" + NUMBERS);
    }

    @Test
    void largeNumbers() {
        assertError("A = 9223372036854775808", "1:5: 9223372036854775808 is too large" + LARGEST);
        assertError("A = 0xffffffffffffffff", "1:5: 0xffffffffffffffff is too large" + LARGEST);
        assertError("A = " + "9".repeat(1000), "1:5: " + "9".repeat(57) + "... is too large" + LARGEST);
        assertError("A = 9223372036854775807 + 1", "1:25: the result is too large" + LARGEST);
        assertError("A = 4611686018427387904 * 4", "1:25: the result is too large" + LARGEST);
        assertError("A = (-9223372036854775807 - 1) // -1", "1:32: the result is too large" + LARGEST);
        assertError("A = -(-9223372036854775807 - 1)", "1:5: the result is too large" + LARGEST);
        assertError("A = 1 // 0", "1:7: division by zero" + LARGEST);
    }

    @Test
    void arithmetic() {
        String allowed = "; allowed: + - * // between whole numbers; strings join when they stand side by side";
        assertError("A = 'a' + 'b'", "1:9: '+' with a string" + allowed);
        assertError("A = 2 * 'b'", "1:7: '*' with a string" + allowed);
        assertError("A = [1] + [2]", "1:9: '+' with a list" + allowed);
        assertError("A = 1 - ()", "1:7: '-' with a tuple" + allowed);
        assertError("A = 1 // {}", "1:7: '//' with a dict" + allowed);
        assertError("A = -True", "1:5: '-' with a truth value" + allowed);
        assertError("A = +None", "1:5: '+' with None" + allowed);
        assertError("A = * 2", "1:5: '*' where a value is due" + VALUES);
        assertError("A = 2 *", "1:8: the end of the file where a value is due" + VALUES);
    }

    @Test
    void brokenStrings() {
        assertError("A = 'abc\n", "1:5: the string that begins here is not closed on its line; allowed: a closing '");
        assertError("A = \"abc", "1:5: the string that begins here is not closed on its line; allowed: a closing \"");
        assertError("A = 'abc\\", "1:5: the string that begins here is not closed on its line; allowed: a closing '");
        assertError("A = '''abc\nB = 1\n", "1:5: the string that begins here is never closed; allowed: a closing '''");
        for (String prefix : List.of("f", "r", "b", "u", "rb", "F")) {
            assertError("A = " + prefix + "'x'", "1:5: the string has the prefix '" + prefix
                    + "'; allowed: a plain string, 'text'");
        }
        for (String escape : List.of("q", "N{DASH}", "8", "x4", "xg1", "u20a", "ud800", "U00110000", "U0000dfff", "x٣٣")) {
            assertError("A = 'a\\" + escape + "'", "1:7: " + ESCAPES);
        }
    }

    @Test
    void brackets() {
        assertError("A = [1 2]", "1:8: 2 inside the '[' of line 1, which is not closed yet; allowed: ',' or ']'");
        assertError("A = (1 2)", "1:8: 2 inside the '(' of line 1, which is not closed yet; allowed: ',' or ')'");
        assertError("A = [1)", "1:7: ')' inside the '[' of line 1, which is not closed yet; allowed: ',' or ']'");
        assertError("A = [1,\n", "2:1: the end of the file inside the '[' of line 1, which is not closed yet; allowed: ']'");
        assertError("A = {'a': 1\n", "2:1: the end of the file inside the '{' of line 1, which is not closed yet; allowed: ',' or '}'");
        assertError("A = [\n 1\nB = 2\n", "3:1: 'B' inside the '[' of line 1, which is not closed yet; allowed: ',' or ']'");
        assertError("A = [\n 1,\nB = 2\n", "3:1: 'B' inside the '[' of line 1, which is not closed yet; allowed:"
                + " its closing bracket before the next setting");
        assertError("A = [,]", "1:6: ',' where a value is due" + VALUES);
        assertError("A = {'a' 1}", "1:10: 1 inside the '{' of line 1, which is not closed yet; allowed: ':' and a value after 'a'");
        assertError("A = {'a'}", "1:9: '}' inside the '{' of line 1, which is not closed yet; allowed: ':' and a value after 'a'");
        assertError("A = {'a': }", "1:11: '}' where a value is due" + VALUES);
        assertError("A = {1: 2}", "1:6: a whole number as the name of a setting; allowed: a string: {'setting': value}");
        assertError("A = {None: 2}", "1:6: None as the name of a setting; allowed: a string: {'setting': value}");
        assertError("A = }", "1:5: '}' where a value is due" + VALUES);
    }

    @Test
    void nesting() {
        assertThat(value("[".repeat(64) + "]".repeat(64))).startsWith("[[[[");
        assertError("A = " + "[".repeat(65) + "]".repeat(65),
                "1:69: brackets are nested deeper than 64; allowed: at most 64 levels");
        assertError("A = " + "({'a': [".repeat(1000),
                "1:174: brackets are nested deeper than 64; allowed: at most 64 levels");
    }

    @Test
    void allErrorsAreToldAtOnce() {
        assertThat(Sample.refusals("A = 1.5\nB = [\n1 2\n]\nC = 3\nD = [\nE = x\nF = 'y\n"))
                .extracting(line -> line.replaceAll("^test.conf:([0-9]+:[0-9]+): .*", "$1"))
                .containsExactly("1:5", "3:3", "7:1", "7:5", "8:5");
        assertThat(Sample.refusals("A = $\n".repeat(1000))).hasSize(Parser.MOST_ERRORS);
    }
}
