package org.archipelago.ext.command;

import com.beust.jcommander.ParameterDescription;
import java.util.List;

/**
 * An option as JCommander's metadata describes it.
 *
 * @param names shortest first
 * @param value name of its value; empty where it takes none
 * @param text what it does
 */
record Option(List<String> names, String value, String text, int order) {
    static Option of(ParameterDescription description) {
        List<String> names = List.of(description.getParameter().names());
        String text = description.getDescription();
        int order = description.getParameter().getParameter().order();
        int gap = isSwitch(description) ? -1 : text.indexOf("  ");
        return gap < 0 ? new Option(names, "", text, order)
            : new Option(names, text.substring(0, gap), text.substring(gap + 2), order);
    }

    private static boolean isSwitch(ParameterDescription description) {
        return description.getParameterized().getType() == boolean.class;
    }

    boolean takesValue() {
        return !value.isEmpty();
    }

    String usage() {
        return String.join(", ", names) + (takesValue() ? " " + value : "");
    }
}
