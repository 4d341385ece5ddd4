package org.archipelago.ext.ganeti;

import java.util.List;
import org.archipelago.ext.command.CommonOptions;
import org.archipelago.ext.command.Program;

/** The program ext-storage: what Ganeti's scripts of the provider do. Each reads its orders from the environment. */
public final class ExtStorage {
    static final String MAKING = "Making and removing";
    static final String USING = "Using";
    static final String OTHER = "Other";

    public static final Program PROGRAM = new Program("ext-storage", "action",
        "What Ganeti's node daemon calls for disks of the provider archipelago. The orders are in the environment: VOL_NAME, VOL_SIZE "
            + "and so on, and EXTP_NAME for each parameter of the disk.",
        """
            Parameters of a disk (gnt-instance add --disk 0:size=10G,provider=archipelago,NAME=VALUE)
              origin        the snapshot that the disk starts as; without it the disk is blank
              origin_size   bytes of an origin that is an image of the original Archipelago
            """,
        List.of(Create.SPEC, Remove.SPEC, Grow.SPEC, Snapshot.SPEC, Attach.SPEC, Detach.SPEC, Open.SPEC, Close.SPEC, SetInfo.SPEC,
            Verify.SPEC),
        CommonOptions::new);

    private ExtStorage() {}
}
