package org.archipelago.ext.table;

import com.beust.jcommander.Parameter;

/** The options of every command that prints a table. */
public final class TableOptions {
    @Parameter(names = {"-o", "--output"}, order = 90,
        description = "COLUMNS  Which columns, with a comma between; +COLUMNS adds to the usual ones, all shows every one.")
    private String columns = "";

    @Parameter(names = {"-J", "--json"}, order = 91, description = "JSON; sizes are bytes, times and spans are seconds.")
    private boolean json;

    @Parameter(names = {"-b", "--bytes"}, order = 92, description = "Exact numbers, without units.")
    private boolean bytes;

    @Parameter(names = {"-n", "--noheadings"}, order = 93, description = "No line of headings.")
    private boolean noHeadings;

    String columns() {
        return columns;
    }

    public boolean json() {
        return json;
    }

    boolean bytes() {
        return bytes;
    }

    boolean headings() {
        return !noHeadings;
    }
}
