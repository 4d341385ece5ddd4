package org.archipelago.ext.vlmc;

import com.google.gson.JsonObject;
import java.util.List;
import org.archipelago.ext.node.Volume;
import org.archipelago.ext.table.Column;
import org.archipelago.ext.table.Table;
import org.archipelago.ext.table.Value;

/**
 * What a volume, or all together, take of the store: a row of the table of vlmc du.
 *
 * @param kind volume, snapshot, image or damaged; empty: all
 * @param used bytes of all that it consists of; 0 where that is not known
 * @param exclusive bytes of what only it consists of
 * @param problem why it cannot be read; empty where it can
 */
record UsageRow(String name, String kind, long size, long used, long exclusive, String problem) {
    static final Table<UsageRow> TABLE = new Table<>("volumes", List.of(
        Column.left("name", "its name", r -> Value.of(r.name)),
        Column.left("type", "volume, snapshot, image (stored by its contents), or damaged", r -> Value.of(r.kind)),
        Column.right("size", "as a guest sees it", r -> r.sized(r.size)),
        Column.right("used", "what all that it consists of takes of the store", r -> r.sized(r.used)),
        Column.right("exclusive", "of that, what only it consists of: what its removal and 'vlmc gc' free",
            r -> r.sized(r.exclusive)),
        Column.right("shared", "of that, what others consist of, too", r -> r.sized(r.used - r.exclusive)),
        Column.left("problem", "why it cannot be read", r -> Value.of(r.problem))),
        List.of("name", "type", "size", "used", "exclusive", "shared"));

    static UsageRow of(JsonObject json) {
        return new UsageRow(json.get("name").getAsString(), json.get("kind").getAsString(), json.get("size").getAsLong(),
            json.get("used").getAsLong(), json.get("exclusive").getAsLong(),
            json.has("problem") ? json.get("problem").getAsString() : "");
    }

    /** All of a store together; named: bytes of what any of them consists of. */
    static UsageRow total(List<UsageRow> rows, long named) {
        return new UsageRow("total", "", rows.stream().mapToLong(UsageRow::size).sum(), named,
            rows.stream().mapToLong(UsageRow::exclusive).sum(), "");
    }

    private Value sized(long bytes) {
        return problem.isEmpty() ? Value.size(bytes) : Value.NONE;
    }

    boolean temporary() {
        return name.startsWith(Volume.TEMPORARY);
    }
}
