package org.archipelago.config;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The settings of the file itself or of one role: those written and right, and the defaults of the others. */
final class Section {
    private final String name;
    private final Position at;
    private final Findings findings;
    private final Map<String, Literal> values = new LinkedHashMap<>();

    /**
     * @param name of the role; empty for the file itself
     * @param at the dict; {@link Position#NONE} for the file itself
     * @param ignored settings that get a warning, each with the reason
     */
    Section(String name, Position at, List<Literal.Entry> entries, List<Setting> settings,
            Map<String, String> ignored, Findings findings) {
        this.name = name;
        this.at = at;
        this.findings = findings;
        Map<String, Literal.Entry> written = new LinkedHashMap<>();
        List<String> known = new ArrayList<>();
        settings.forEach(s -> known.add(s.name()));
        for (Literal.Entry entry : entries) {
            String setting = entry.key();
            if (written.containsKey(setting)) {
                error(entry, "set twice", "one value; line " + written.get(setting).at().line() + " has one already");
                continue;
            }
            written.put(setting, entry);
            if (ignored.containsKey(setting)) {
                findings.warning(entry.at(), label(setting), shown(entry.value()), ignored.get(setting),
                        "leave it out");
            } else if (!known.contains(setting)) {
                String near = findings.full() ? "" : Suggestion.of(setting, known);
                error(entry, "unknown setting" + near, String.join(", ", known));
            }
        }
        for (Setting setting : settings) {
            Optional.ofNullable(written.get(setting.name()))
                    .filter(entry -> setting.isMandatory() || !(entry.value() instanceof Literal.Nothing))
                    .ifPresentOrElse(entry -> take(setting, entry), () -> leaveOut(setting));
        }
    }

    private void take(Setting setting, Literal.Entry entry) {
        Optional<String> problem = setting.kind().problem(entry.value());
        problem.ifPresent(p -> error(entry, p, setting.allowed()));
        if (problem.isEmpty()) {
            values.put(setting.name(), entry.value());
        }
    }

    private void leaveOut(Setting setting) {
        if (setting.isMandatory()) {
            findings.error(at, label(setting.name()), "", "missing", setting.allowed());
        } else if (!(setting.fallback() instanceof Literal.Nothing)) {
            values.put(setting.name(), setting.fallback());
        }
    }

    /** It has a value, and the value is right as far as it alone can tell. */
    boolean has(String setting) {
        return values.containsKey(setting);
    }

    boolean isWritten(String setting) {
        return has(setting) && value(setting).at() != Position.NONE;
    }

    void setDefault(String setting, long value) {
        values.put(setting, new Literal.Whole(value, Position.NONE));
    }

    int number(String setting) {
        return (int) ((Literal.Whole) value(setting)).value();
    }

    String text(String setting) {
        return ((Literal.Text) value(setting)).value();
    }

    Optional<String> optionalText(String setting) {
        return has(setting) ? Optional.of(text(setting)) : Optional.empty();
    }

    boolean flag(String setting) {
        return ((Literal.Truth) value(setting)).value();
    }

    Literal value(String setting) {
        return values.get(setting);
    }

    String name() {
        return name;
    }

    int line(String setting) {
        return value(setting).at().line();
    }

    /** What holds, in the order of the schema. */
    List<SettingValue> all() {
        return values.keySet().stream()
                .map(s -> new SettingValue(name, s, value(s).toString(), line(s))).toList();
    }

    /** A value that is wrong beside others. */
    void error(String setting, String problem, String allowed) {
        String from = isWritten(setting) ? "" : " (the default)";
        findings.error(value(setting).at(), label(setting), shown(value(setting)) + from, problem, allowed);
    }

    private void error(Literal.Entry entry, String problem, String allowed) {
        findings.error(entry.at(), label(entry.key()), shown(entry.value()), problem, allowed);
    }

    private String label(String setting) {
        return Finding.shorten(name.isEmpty() ? setting : name + "." + setting);
    }

    private static String shown(Literal value) {
        return Finding.shorten(value.toString());
    }
}
