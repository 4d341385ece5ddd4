package org.archipelago.peer.blocker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.volume.OriginalStore;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class OriginalPlacesTest {
    private static final String CONTENT = "559aead08264d5795d3909718cdd05abd49572e84fe55590eef31a88a08fdffd";

    @TempDir
    Path directory;

    private void put(String place, String contents) throws Exception {
        Path file = directory.resolve(place);
        Files.createDirectories(file.getParent());
        Files.writeString(file, contents);
    }

    private static String text(Reply reply) {
        assertThat(reply.status()).as(reply.message()).isZero();
        return new String(reply.data(), StandardCharsets.US_ASCII).replace("\0", "");
    }

    @Test
    void objectsAreReadWhereverTheOriginalPutThem() throws Exception {
        put("85/69/f8/volumeA", "by the hash"); // SHA-256 of volumeA: 8569f8...
        put("vo/lu/me/volumeB_0000000000000002_0000000000000001", "by the name");
        put("vo/lu/me/archip_volumeC", "by the name behind archip_");
        put("ar/ch/ip/archip_volumeD", "by the whole name");
        put("55/9a/ea/" + CONTENT, "A");
        put("volumeA_lock", "node1.example.com_1002");
        try (TestNode node = new TestNode(directory)) {
            assertThat(text(node.read("volumeA", 0, 64))).isEqualTo("by the hash");
            assertThat(text(node.read("volumeB_0000000000000002_0000000000000001", 0, 64))).isEqualTo("by the name");
            assertThat(text(node.read("archip_volumeC", 0, 64))).isEqualTo("by the name behind archip_");
            assertThat(text(node.read("archip_volumeD", 0, 64))).isEqualTo("by the whole name");
            assertThat(text(node.read(CONTENT, 0, 64))).isEqualTo("A");
            assertThat(text(node.read("volumeA_lock", 0, 64))).isEqualTo("node1.example.com_1002");
            assertThat(node.send(Op.INFO, "volumeA").message()).isEqualTo("{\"size\":11}");
            assertThat(node.read("volumeX", 0, 1).status()).isEqualTo(Errno.ENOENT);
        }
        assertThat(Files.readString(directory.resolve("archipelago.store"))).contains("\"original\":true");
        try (TestNode node = new TestNode(directory)) { // which knows it from its marker
            assertThat(text(node.read("volumeA", 0, 64))).isEqualTo("by the hash");
        }
    }

    @Test
    void whatTheOriginalMadeIsNeverChanged() throws Exception {
        OriginalStore original = new OriginalStore(directory, OriginalStore.Layout.HASHED).put("volumeA", "0102").put("volumeB", "03");
        Map<String, String> before = original.files();
        try (TestNode node = new TestNode(directory)) {
            assertThat(node.read("volumeA", 0, 1).status()).isZero(); // it is open from now on
            assertThat(node.write("volumeA", 0, new byte[8]).status()).isEqualTo(Errno.EROFS);
            assertThat(node.send(TestNode.call(Op.WRITE, "volumeA").data(new byte[8]).range(0, 8)).status()).isEqualTo(Errno.EROFS);
            assertThat(node.write("volumeB", 0, new byte[8]).status()).isEqualTo(Errno.EROFS); // and this is not
            assertThat(node.send(TestNode.call(Op.ZERO, "volumeA").flags(Op.DISCARD).range(0, 2)).status()).isEqualTo(Errno.EROFS);
            assertThat(node.send(TestNode.call(Op.ZERO, "volumeB").flags(Op.CREATE_ABSENT).range(0, 2)).status()).isEqualTo(Errno.EROFS);
            Reply created = node.create("volumeA", new byte[1]);
            assertThat(created.status()).isEqualTo(Errno.EEXIST);
            assertThat(created.message()).contains("volumeA", directory.toString(), "never changed");
            assertThat(node.put("volumeA", new byte[1]).status()).isEqualTo(Errno.EROFS);
            assertThat(node.send(Op.DELETE, "volumeA").status()).isEqualTo(Errno.ENOENT);
            node.create("ours", new byte[1]);
            assertThat(node.sendJson(Op.RENAME, "ours", "{\"to\": \"volumeA\"}").status()).isEqualTo(Errno.EEXIST);
            assertThat(node.sendJson(Op.RENAME, "volumeA", "{\"to\": \"volumeX\"}").status()).isEqualTo(Errno.ENOENT);
            assertThat(node.send(Op.SYNC, "volumeA").status()).isZero();
            assertThat(node.read("volumeA", 0, 2).data()).isEqualTo(new byte[] {1, 2});
        }
        assertThat(original.files()).isEqualTo(before);
    }

    @Test
    void itsObjectsAreListedWhenAskedFor() throws Exception {
        new OriginalStore(directory, OriginalStore.Layout.HASHED).put("volumeA", "01").put("volumeB", "02").put("archip_volC01", "03");
        put("aa/bb/cc/misplaced", "");
        try (TestNode node = new TestNode(directory)) {
            node.create("ours", new byte[1]);
            assertThat(node.sendJson(Op.LIST, "*", "{\"original\": true}").message())
                .isEqualTo("{\"names\":[\"archip_volC01\",\"volumeA\",\"volumeB\"],\"more\":false}");
            assertThat(node.sendJson(Op.LIST, "vol", "{\"original\": true, \"after\": \"volumeA\"}").message())
                .isEqualTo("{\"names\":[\"volumeB\"],\"more\":false}");
            assertThat(node.send(Op.LIST, "*").message()).isEqualTo("{\"names\":[\"ours\"],\"more\":false}");
        }
    }

    @Test
    void aStoreOfOursHasNoneOfIts() throws Exception {
        try (TestNode node = new TestNode(directory)) {
            put("85/69/f8/volumeA", "by the hash");
            assertThat(node.read("volumeA", 0, 1).status()).isEqualTo(Errno.ENOENT);
            assertThat(node.sendJson(Op.LIST, "*", "{\"original\": true}").message()).isEqualTo("{\"names\":[],\"more\":false}");
        }
    }

    @Test
    void otherFoldersAreStillRefused() throws Exception {
        put("85/69/f8/volumeX", "not its place");
        assertRefused("85");
        put("85/69/f8/volumeA", "its place");
        put("letter.txt", "something else's");
        assertRefused("but no marker");
        Files.delete(directory.resolve("letter.txt"));
        Files.createDirectory(directory.resolve("283")); // ours, which lost its marker
        assertRefused("lost its marker");
        Files.delete(directory.resolve("283"));
        FileStore.open("blockerb", directory, 2, 16, false).close();
    }

    private void assertRefused(String says) {
        StoreException e = catchThrowableOfType(() -> FileStore.open("blockerb", directory, 2, 16, false).close(), StoreException.class);
        assertThat(e).isNotNull();
        assertThat(e.getMessage()).contains(says, directory.toString());
        assertThat(directory.resolve("archipelago.store")).doesNotExist();
    }

    @Test
    void noNameLeadsOutOfTheStore() throws Exception {
        directory = Files.createDirectories(directory.resolve("a/b/store"));
        put("85/69/f8/volumeA", "by the hash");
        put("../ab....secret", "outside"); // ab/../.. of the store
        Files.createDirectory(directory.resolve("ab"));
        try (TestNode node = new TestNode(directory)) {
            assertThat(node.read("ab....secret", 0, 1).status()).isEqualTo(Errno.ENOENT);
            assertThat(node.read("short", 0, 1).status()).isEqualTo(Errno.ENOENT);
        }
    }
}
