package org.archipelago.ext.vlmc;

import com.beust.jcommander.Parameter;
import java.util.List;
import java.util.Map;
import org.archipelago.ext.Console;
import org.archipelago.ext.Console.VerbResult;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.Verb;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Progress;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Leftovers;
import org.archipelago.ext.node.Names;
import org.archipelago.ext.node.Node;
import org.archipelago.ext.text.Sizes;
import org.archipelago.ext.text.Text;

/** vlmc import. */
final class Import implements Command {
    static final CommandSpec SPEC = CommandSpec.of("import", Needs.PEERS, "Makes a snapshot of an image file", Import::new)
        .operands("FILE", "SNAPSHOT").group(Vlmc.IMAGES)
        .details("The result is ready for 'vlmc create NAME --snap SNAPSHOT', and for origin= in Ganeti. Its blocks are stored by "
            + "their contents (see 'vlmc hash'): those that another image has too take no space, nor do holes and zeros. An image that wants to be read together with another file (backing file, external data) is refused. If it fails "
            + "or is interrupted, nothing stays. Needs qemu-img (package qemu-utils).")
        .example("debian.qcow2 debian", "snapshot debian with the disk in debian.qcow2")
        .example("--format raw disk.img disk1", "refused if disk.img is anything but a raw image");

    private static final String HOLDER = "import";

    @Parameter(names = {"--format"}, order = 1,
        description = "FORMAT  raw, qcow2, vmdk, vdi, vhdx or vpc; by default what qemu-img finds in FILE.")
    private String format = "";

    @Override
    public ExitCode run(Session session, List<String> operands) {
        String file = operands.get(0);
        String name = Names.checkNew(operands.get(1));
        Node node = session.node();
        Images.checkFormat(format);
        if (node.volumes().find(name).isPresent()) {
            throw new Failure(ExitCode.EXISTS, "volume " + name + " exists already");
        }
        return Images.copy(() -> copy(session, node, file, name));
    }

    private ExitCode copy(Session session, Node node, String file, String name) {
        ImageInfo image = inspect(session.console(), file);
        String from = format.isEmpty() ? image.format() : format;
        String temporary = Leftovers.newName(node);
        node.volumes().create(temporary, (image.size() + 511) / 512 * 512, "", Map.of());
        try (HashBehind hashing = new HashBehind(node.volumes(), temporary, name)) {
            fill(session, node, from, file, temporary);
            session.console().checkPresent();
            becomeImage(session.console(), hashing, name);
        } finally {
            discard(session.console(), node, temporary);
        }
        return ExitCode.OK;
    }

    /** Most blocks have the names of their contents by now. */
    private static void becomeImage(Console console, HashBehind hashing, String name) {
        try (Progress progress = new Progress(console)) {
            hashing.finish(step -> {
                console.checkPresent();
                progress.say("hashing " + name, step.get("blocks").getAsLong(), step.get("of").getAsLong());
            });
        }
    }

    /** Whatever cannot be undone, the import's own result counts. */
    private static void discard(Console console, Node node, String temporary) {
        try {
            Leftovers.remove(node, temporary);
        } catch (Failure e) {
            console.errLine("volume " + temporary + " stays behind: " + e.getMessage() + " (the next start of archipelagod removes it)");
        }
    }

    private ImageInfo inspect(Console console, String file) {
        VerbResult result = console.verb(Verb.inspect(file));
        Images.check(result, "cannot read image " + Text.printable(file));
        ImageInfo image = ImageInfo.parse(file, result.output());
        Images.checkFormat(format.isEmpty() ? image.format() : format);
        if (!image.otherFile().isEmpty()) {
            throw new Failure(ExitCode.FAILED, Text.printable(file) + " wants to be read together with "
                + Text.printable(image.otherFile()) + ": make one file of both first (qemu-img convert)");
        }
        // a vpc of fixed size bears its mark at the end, where qemu-img does not look; what looks raw is nothing else
        boolean vpc = format.equals("vpc") && image.format().equals("raw");
        if (!format.isEmpty() && !format.equals(image.format()) && !vpc) {
            throw Failure.usage(Text.printable(file) + " is a " + image.format() + " image, not " + format);
        }
        if (image.encrypted()) {
            throw new Failure(ExitCode.FAILED, Text.printable(file) + " is encrypted: decrypt it first (qemu-img convert)");
        }
        if (image.size() <= 0 || image.size() > Sizes.MAX) {
            throw Failure.usage(Text.printable(file) + " holds a disk of " + image.size() + " bytes: a volume has 1 to " + Sizes.MAX);
        }
        return image;
    }

    private static void fill(Session session, Node node, String from, String file, String temporary) {
        node.exports().hold(temporary, HOLDER);
        try {
            Images.check(session.console().verb(Verb.convertIn(from, file, temporary)), "cannot copy image " + Text.printable(file));
        } finally {
            node.exports().release(temporary, HOLDER);
        }
    }
}
