package org.archipelago.ext.table;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.archipelago.config.Suggestion;
import org.archipelago.ext.Failure;

/**
 * A table of things of one kind: which columns there are, and how rows are printed. Every table of
 * every command is one of these.
 */
public final class Table<T> {
    private static final Gson GSON = new GsonBuilder().setPrettyPrinting().serializeNulls().disableHtmlEscaping().create();
    private static final String GAP = "  ";

    private final String name;
    private final List<Column<T>> columns;
    private final List<String> usual;

    /**
     * @param name of the array in JSON
     * @param usual names of the columns that are shown unless -o says otherwise
     */
    public Table(String name, List<Column<T>> columns, List<String> usual) {
        this.name = name;
        this.columns = List.copyOf(columns);
        this.usual = List.copyOf(usual);
    }

    /** The text for a list of rows, each line with its end; throws Failure for a column that is not there. */
    public String render(List<T> rows, TableOptions options) {
        List<Column<T>> chosen = choose(options.columns());
        return options.json() ? GSON.toJson(json(rows, options)) + "\n" : text(rows, chosen, options.bytes(), options.headings());
    }

    /** The list of rows as JSON, for more to be added. */
    public JsonObject json(List<T> rows, TableOptions options) {
        List<Column<T>> chosen = choose(options.columns());
        JsonArray array = new JsonArray(rows.size());
        rows.forEach(row -> array.add(object(row, chosen)));
        JsonObject top = new JsonObject();
        top.add(name, array);
        return top;
    }

    /** One thing, a line for each column; or a JSON object. */
    public String renderOne(T row, TableOptions options) {
        List<Column<T>> chosen = choose(options.columns());
        if (options.json()) {
            return GSON.toJson(object(row, chosen)) + "\n";
        }
        int width = chosen.stream().mapToInt(c -> c.name().length()).max().orElse(0);
        StringBuilder out = new StringBuilder();
        for (Column<T> column : chosen) {
            String shown = column.value().apply(row).show(options.bytes());
            out.append(("%-" + (width + 2) + "s%s").formatted(column.name() + ":", shown).stripTrailing()).append('\n');
        }
        return out.toString();
    }

    /** All columns of the rows, for JSON that has more than the table. */
    public JsonArray array(List<T> rows) {
        JsonArray array = new JsonArray(rows.size());
        rows.forEach(row -> array.add(object(row, columns)));
        return array;
    }

    /** For the help: the columns and what they tell. */
    public String help() {
        int width = columns.stream().mapToInt(c -> c.name().length()).max().orElse(0);
        return columns.stream()
            .map(c -> ("  %-" + width + "s  %s%n").formatted(c.name(), c.help()))
            .collect(Collectors.joining("", "Columns (usually " + String.join(",", usual) + ")\n", ""));
    }

    private List<Column<T>> choose(String list) {
        if (list.equals("all")) {
            return columns;
        }
        List<String> names = new ArrayList<>();
        if (list.isEmpty() || list.startsWith("+")) {
            names.addAll(usual);
        }
        String written = list.startsWith("+") ? list.substring(1) : list;
        if (!written.isEmpty()) {
            names.addAll(List.of(written.toLowerCase(Locale.ROOT).split(",", -1)));
        }
        return names.stream().distinct().map(this::column).toList();
    }

    private Column<T> column(String wanted) {
        List<String> known = columns.stream().map(Column::name).toList();
        int index = known.indexOf(wanted.strip());
        if (index < 0) {
            throw Failure.usage("there is no column '" + wanted + "'" + Suggestion.endOfSentence(wanted, known) + " Columns: "
                + String.join(", ", known));
        }
        return columns.get(index);
    }

    private JsonObject object(T row, List<Column<T>> chosen) {
        JsonObject object = new JsonObject();
        chosen.forEach(c -> object.add(c.name(), c.value().apply(row).json()));
        return object;
    }

    private String text(List<T> rows, List<Column<T>> chosen, boolean exact, boolean headings) {
        List<List<String>> lines = new ArrayList<>();
        if (headings) {
            lines.add(chosen.stream().map(Column::heading).toList());
        }
        for (T row : rows) {
            lines.add(chosen.stream().map(c -> c.value().apply(row).show(exact)).toList());
        }
        int[] widths = new int[chosen.size()];
        for (List<String> line : lines) {
            for (int i = 0; i < widths.length; i++) {
                widths[i] = Math.max(widths[i], line.get(i).length());
            }
        }
        StringBuilder out = new StringBuilder();
        for (List<String> line : lines) {
            StringBuilder shown = new StringBuilder();
            for (int i = 0; i < widths.length; i++) {
                String blanks = " ".repeat(widths[i] - line.get(i).length());
                shown.append(i > 0 ? GAP : "");
                shown.append(chosen.get(i).right() ? blanks + line.get(i) : line.get(i) + blanks);
            }
            out.append(shown.toString().stripTrailing()).append('\n');
        }
        return out.toString();
    }
}
