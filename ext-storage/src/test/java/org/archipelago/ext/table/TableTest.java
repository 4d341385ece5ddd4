package org.archipelago.ext.table;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.beust.jcommander.JCommander;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.List;
import java.util.TreeMap;
import org.archipelago.ext.Failure;
import org.junit.jupiter.api.Test;

class TableTest {
    private record Row(String name, long size, boolean set) {}

    private static final Table<Row> TABLE = new Table<>("rows", List.of(
        Column.left("name", "its name", r -> Value.of(r.name)),
        Column.right("size", "how large", r -> Value.size(r.size)),
        Column.left("set", "a flag", r -> Value.of(r.set)),
        Column.left("empty", "nothing", r -> Value.NONE)), List.of("name", "size"));
    private static final List<Row> ROWS = List.of(new Row("a", 1 << 20, true), new Row("longer", 10, false));

    private static TableOptions options(String... arguments) {
        TableOptions options = new TableOptions();
        JCommander parser = new JCommander();
        parser.addObject(options);
        parser.parse(arguments);
        return options;
    }

    @Test
    void alignsColumnsAndLeavesNoBlanksAtTheEnd() {
        assertThat(TABLE.render(ROWS, options())).isEqualTo("""
            NAME    SIZE
            a         1M
            longer   10B
            """);
    }

    @Test
    void showsTheColumnsThatAreAskedFor() {
        assertThat(TABLE.render(ROWS, options("-o", "set,NAME"))).isEqualTo("""
            SET  NAME
            yes  a
            no   longer
            """);
        assertThat(TABLE.render(ROWS, options("-o", "+set", "-n", "-b"))).isEqualTo("a       1048576  yes\nlonger       10  no\n");
        assertThat(TABLE.render(ROWS, options("-o", "all", "-n"))).isEqualTo("a        1M  yes\nlonger  10B  no\n");
    }

    @Test
    void refusesAColumnThatIsNotThere() {
        assertThatThrownBy(() -> TABLE.render(ROWS, options("-o", "nmae"))).isInstanceOf(Failure.class)
            .hasMessage("there is no column 'nmae'; did you mean name? Columns: name, size, set, empty");
        assertThatThrownBy(() -> TABLE.render(ROWS, options("-o", "name,,size"))).isInstanceOf(Failure.class);
    }

    @Test
    void jsonHasExactNumbersAndNulls() {
        JsonObject json = JsonParser.parseString(TABLE.render(ROWS, options("--json", "-o", "all"))).getAsJsonObject();
        JsonObject first = json.getAsJsonArray("rows").get(0).getAsJsonObject();
        assertThat(first.get("size").getAsLong()).isEqualTo(1 << 20);
        assertThat(first.get("set").getAsBoolean()).isTrue();
        assertThat(first.get("empty").isJsonNull()).isTrue();
        assertThat(TABLE.render(List.of(), options("--json"))).contains("\"rows\": []");
    }

    @Test
    void oneThingIsALineForEachColumn() {
        assertThat(TABLE.renderOne(ROWS.get(0), options())).isEqualTo("name: a\nsize: 1M\n");
    }

    @Test
    void valuesOfAllKindsShowThemselves() {
        TreeMap<String, String> pairs = new TreeMap<>();
        pairs.put("k", "v\n");
        assertThat(new Value.Pairs(pairs).show(false)).isEqualTo("k=v?");
        assertThat(Value.span(3600).show(false)).isEqualTo("1h");
        assertThat(Value.span(3600).show(true)).isEqualTo("3600");
        assertThat(Value.time(0)).isEqualTo(Value.NONE);
        assertThat(Value.of("a\u0007b").show(false)).isEqualTo("a?b");
    }
}
