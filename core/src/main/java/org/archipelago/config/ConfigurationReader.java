package org.archipelago.config;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/** From bytes to a checked configuration: text, syntax, each setting by itself, the settings together. */
final class ConfigurationReader {
    /** Bytes. */
    static final int LARGEST_FILE = 1 << 20;
    static final int MOST_ROLES = 64;

    private static final Pattern ROLE_NAME = Pattern.compile("(?!(True|False|None)$)[A-Za-z_][A-Za-z0-9_]{0,31}");

    private final Path file;
    private final Path base;
    private final Findings findings;

    private ConfigurationReader(Path file, Path base) {
        this.file = file;
        this.base = base.toAbsolutePath();
        this.findings = new Findings(file);
    }

    static Configuration read(Path file, Path base) throws ConfigurationException {
        ConfigurationReader reader = new ConfigurationReader(file, base);
        byte[] bytes = {};
        try (InputStream in = Files.newInputStream(file)) {
            bytes = in.readNBytes(LARGEST_FILE + 1);
        } catch (NoSuchFileException e) {
            reader.unreadable("does not exist");
        } catch (AccessDeniedException e) {
            reader.unreadable("cannot be read: permission denied");
        } catch (IOException e) {
            reader.unreadable("cannot be read: " + e.getMessage());
        }
        return reader.read(bytes);
    }

    static Configuration parse(byte[] bytes, Path file, Path base) throws ConfigurationException {
        return new ConfigurationReader(file, base).read(bytes);
    }

    private void unreadable(String problem) throws ConfigurationException {
        findings.error(Position.NONE, "", "", problem, "a file that user and group of the daemon can read");
        findings.throwErrors();
    }

    private Configuration read(byte[] bytes) throws ConfigurationException {
        List<SyntaxException> errors = new ArrayList<>();
        List<Literal.Entry> entries = Parser.parse(text(bytes), errors);
        errors.forEach(findings::syntax);
        findings.throwErrors();

        Map<String, Literal.Entry> dicts = new LinkedHashMap<>();
        List<Literal.Entry> settings = new ArrayList<>();
        List<String> names = Schema.global().stream().map(Setting::name).toList();
        for (Literal.Entry entry : entries) {
            boolean isDict = entry.value() instanceof Literal.Dict && !names.contains(entry.key());
            if (!isDict) {
                settings.add(entry);
            } else if (dicts.containsKey(entry.key())) {
                findings.error(entry.at(), entry.key(), "", "set twice",
                        "one dict; line " + dicts.get(entry.key()).at().line() + " has one already");
            } else {
                dicts.put(entry.key(), entry);
            }
        }
        Section global = new Section("", Position.NONE, settings, Schema.global(), Map.of(), findings);
        List<RoleDraft> roles = List.of();
        boolean complete = false;
        if (global.has("roles")) {
            Literal.Sequence listed = (Literal.Sequence) global.value("roles");
            roles = roles(listed, dicts);
            complete = roles.size() == listed.items().size();
        }
        new Rules(global, roles, complete).check();
        findings.throwErrors();
        return build(global, roles);
    }

    private String text(byte[] bytes) throws ConfigurationException {
        if (bytes.length > LARGEST_FILE) {
            findings.error(Position.NONE, "", "", "larger than " + LARGEST_FILE + " bytes", "a smaller file");
            findings.throwErrors();
        }
        ByteBuffer in = ByteBuffer.wrap(bytes);
        CharBuffer out = CharBuffer.allocate(bytes.length);
        if (StandardCharsets.UTF_8.newDecoder().decode(in, out, true).isError()) {
            int line = 1 + (int) out.flip().chars().filter(c -> c == '\n').count();
            findings.error(new Position(line, 0), "", "", "not UTF-8", "text in UTF-8; best, plain ASCII");
            findings.throwErrors();
        }
        String text = out.flip().toString().replace("\r\n", "\n").replace('\r', '\n');
        return text.startsWith("\ufeff") ? text.substring(1) : text;
    }

    private List<RoleDraft> roles(Literal.Sequence list, Map<String, Literal.Entry> dicts) {
        Map<String, Literal> declared = new LinkedHashMap<>();
        List<RoleDraft> roles = new ArrayList<>();
        Map<String, Literal.Entry> unlisted = new LinkedHashMap<>(dicts);
        list.items().forEach(item -> nameAndType(item).ifPresent(role -> unlisted.remove(role.get(0))));
        if (list.items().size() > MOST_ROLES) {
            findings.error(list.at(), "roles", "", list.items().size() + " roles", "at most " + MOST_ROLES);
            return roles;
        }
        for (Literal item : list.items()) {
            Optional<List<String>> role = nameAndType(item);
            if (role.isEmpty()) {
                error(item, "not a role", "('name', 'type')");
                continue;
            }
            String name = role.get().get(0);
            Optional<RoleType> type = type(item, role.get().get(1));
            if (!ROLE_NAME.matcher(name).matches() || Schema.global().stream().anyMatch(s -> s.name().equals(name))) {
                error(item, "no name for a role",
                        "1 to 32 of A-Z a-z 0-9 _, beginning with a letter or _, and no name of a setting");
            } else if (declared.containsKey(name)) {
                error(item, "the role is listed twice",
                        "each name once; line " + declared.get(name).at().line() + " has it already");
            } else if (!dicts.containsKey(name)) {
                findings.error(item.at(), name, "", "the role has no settings"
                        + Suggestion.of(name, unlisted.keySet()), name + " = {'portno_start': ..., 'portno_end': ...}");
            } else {
                type.ifPresent(t -> roles.add(draft(name, t, dicts.get(name))));
            }
            declared.putIfAbsent(name, item);
        }
        unlisted.values().forEach(dict -> findings.warning(dict.at(), Finding.shorten(dict.key()), "",
                "no role of this name is listed, so its settings are not used", "leave it out, or list it in roles"));
        return roles;
    }

    private static Optional<List<String>> nameAndType(Literal item) {
        return item instanceof Literal.Sequence pair && pair.items().size() == 2
                && pair.items().get(0) instanceof Literal.Text name && pair.items().get(1) instanceof Literal.Text type
                ? Optional.of(List.of(name.value(), type.value())) : Optional.empty();
    }

    private Optional<RoleType> type(Literal item, String word) {
        Optional<RoleType> type = RoleType.of(word);
        if (type.isEmpty()) {
            List<String> words = List.of(RoleType.values()).stream().map(RoleType::word).toList();
            error(item, "unknown type" + Suggestion.of(Finding.shorten(word), words), RoleType.known());
        } else if (!type.get().isBuilt()) {
            error(item, "type " + word + " is not built into this version", RoleType.known());
        }
        return type;
    }

    private void error(Literal item, String problem, String allowed) {
        findings.error(item.at(), "roles", Finding.shorten(item.toString()), problem, allowed);
    }

    private RoleDraft draft(String name, RoleType type, Literal.Entry dict) {
        List<Setting> settings = new ArrayList<>(Schema.common());
        settings.addAll(Schema.of(type));
        Section section = new Section(name, dict.at(), ((Literal.Dict) dict.value()).entries(), settings,
                Schema.IGNORED, findings);
        if (type == RoleType.FILE_BLOCKER && section.has("nr_threads") && section.has("fdcache")
                && !section.isWritten("fdcache")) {
            section.setDefault("fdcache", Math.max(section.number("fdcache"), 2L * section.number("nr_threads")));
        }
        return new RoleDraft(name, type, section, base);
    }

    private Configuration build(Section s, List<RoleDraft> roles) {
        SegmentSettings segment = new SegmentSettings(s.text("SEGMENT_TYPE"), s.text("SEGMENT_NAME"),
                s.number("SEGMENT_PORTS"), s.number("SEGMENT_SIZE"), s.number("SEGMENT_ALIGNMENT"),
                new PortRange(s.number("XSEGBD_START"), s.number("XSEGBD_END")),
                new PortRange(s.number("VTOOL_START"), s.number("VTOOL_END")));
        DaemonSettings daemon = new DaemonSettings(s.text("USER"), s.text("GROUP"), s.number("REACTORS"),
                s.number("SPIN_US"), s.number("LEASE_S"));
        EndpointSettings endpoint = new EndpointSettings(
                EndpointSettings.Device.valueOf(s.text("ENDPOINT").toUpperCase(Locale.ROOT)),
                s.number("NBD_RECONNECT_S"), s.number("NBD_BUFFERS"));
        List<SettingValue> values = new ArrayList<>(s.all());
        roles.forEach(r -> values.addAll(r.section().all()));
        return new Configuration(file, segment, daemon, endpoint, roles.stream().map(RoleDraft::role).toList(),
                List.copyOf(values), findings.sorted());
    }
}
