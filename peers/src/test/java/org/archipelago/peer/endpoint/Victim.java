package org.archipelago.peer.endpoint;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.archipelago.peer.volume.Node;
import org.archipelago.xseg.LibXseg;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Segment;

/**
 * A process of its own with all peers and two volumes on sockets, for others to attack. Says "ready"; answers each line
 * with what xseg_verify returns; ends in order at the end of its input.
 */
final class Victim {
    static final int SIZE = 16 << 20;
    static final String BUSY = "busy";
    static final String QUIET = "quiet";

    private Victim() {}

    /** segment folder */
    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[1]);
        Segment segment = Segment.join(args[0]);
        Node node = new Node("n1", Node.BOOT, folder, 2, segment);
        NbdEndpoint endpoint = new NbdEndpoint(node.host, Node.COMPOSER, NbdSettings.defaults().bufferBytes(2 << 20));
        for (String volume : new String[] {BUSY, QUIET}) {
            if (node.json(Op.CREATE, volume, "{\"size\": " + SIZE + "}").status() != 0) {
                throw new IllegalStateException("cannot create volume " + volume);
            }
            endpoint.export(volume, folder.resolve(volume + ".sock"), folder.resolve(volume + ".img"), new ExportInfo(SIZE, false));
        }
        System.out.println("ready");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        while (input.readLine() != null) {
            System.out.println(LibXseg.xseg_verify(segment.handle(), 0));
        }
        endpoint.close();
        node.close();
        System.out.println("ended");
    }
}
