package org.archipelago.ext.vlmc;

import com.beust.jcommander.Parameter;
import java.util.List;
import java.util.UUID;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.Verb;
import org.archipelago.ext.node.Names;
import org.archipelago.ext.node.Node;
import org.archipelago.ext.text.Text;

/** vlmc export. */
final class Export implements Command {
    static final CommandSpec SPEC = CommandSpec.of("export", Needs.PEERS, "Writes a volume or snapshot to an image file", Export::new)
        .operands("VOLUME", "FILE").group(Vlmc.IMAGES)
        .details("FILE is overwritten. What reads as zeros takes no space in it. A volume that is written meanwhile gives an image "
            + "of no single moment: export a snapshot of it. Needs qemu-img (package qemu-utils).")
        .example("debian debian.img", "a raw image")
        .example("web1-monday web1.qcow2 --format qcow2", "a qcow2 image");

    @Parameter(names = {"--format"}, order = 1, description = "FORMAT  raw (the usual), qcow2, vmdk, vdi, vhdx or vpc.")
    private String format = "raw";

    @Override
    public ExitCode run(Session session, List<String> operands) {
        String name = Names.check(operands.get(0));
        String file = operands.get(1);
        Images.checkFormat(format);
        Node node = session.node();
        node.volumes().info(name);
        return Images.copy(() -> export(session, node, name, file));
    }

    private ExitCode export(Session session, Node node, String name, String file) {
        String holder = "export " + UUID.randomUUID();
        node.exports().hold(name, holder);
        try {
            Images.check(session.console().verb(Verb.convertOut(format, name, file)), "volume " + name + " is not whole in "
                + Text.printable(file));
        } finally {
            node.exports().release(name, holder);
        }
        return ExitCode.OK;
    }
}
