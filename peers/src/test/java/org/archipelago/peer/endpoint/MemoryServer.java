package org.archipelago.peer.endpoint;

import java.nio.file.Path;
import org.archipelago.peer.host.Host;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentParameters;

/**
 * Serves a volume of memory until it is killed, to measure the endpoint alone:
 * {@code java -cp ... org.archipelago.peer.endpoint.MemoryServer SOCKET MIB [SPIN_US]}; SOCKET.img has
 * structured replies.
 */
final class MemoryServer {
    private MemoryServer() {}

    public static void main(String[] arguments) throws InterruptedException {
        long size = Long.parseLong(arguments[1]) << 20;
        long spin = arguments.length > 2 ? Long.parseLong(arguments[2]) : 50;
        Segment segment = Segment.anonymous(new SegmentParameters(64, 1024, 8192, 0600, 160 << 20));
        Host host = new Host("bench", segment, 1, spin * 1000);
        var disks = MemoryComposer.noDisks();
        disks.add(new MemoryComposer.Disk("bench", size, size));
        host.serve(0, "composer", reactor -> new MemoryComposer(disks, MemoryComposer.threads()));
        NbdEndpoint endpoint = new NbdEndpoint(host, 0, NbdSettings.defaults());
        host.start();
        endpoint.export("bench", Path.of(arguments[0]), Path.of(arguments[0] + ".img"), new ExportInfo(size, false));
        System.out.println("serving " + endpoint.exports());
        Thread.currentThread().join();
    }
}
