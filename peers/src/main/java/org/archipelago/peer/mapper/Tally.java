package org.archipelago.peer.mapper;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What a collection has come to, in numbers and sentences; these are bounded. */
final class Tally {
    private static final int SENTENCES_MOST = 100;

    long marked;
    long scanned;
    long removed;
    long bytes;
    long mapsScanned;
    long mapsRemoved;
    private int unsaid;
    private final List<String> sentences = new ArrayList<>();
    /** By node: how many volumes it holds. */
    private final Map<String, Long> holders = new TreeMap<>();

    void say(String sentence) {
        if (sentences.size() >= SENTENCES_MOST) {
            unsaid++;
        } else if (!sentences.contains(sentence)) {
            sentences.add(sentence);
        }
    }

    void heldBy(String node) {
        if (holders.size() < SENTENCES_MOST || holders.containsKey(node)) {
            holders.merge(node, 1L, Long::sum);
        }
    }

    void put(JsonObject to) {
        to.addProperty("marked", marked);
        to.addProperty("scanned", scanned);
        to.addProperty("removed", removed);
        to.addProperty("bytes", bytes);
        to.addProperty("mapsScanned", mapsScanned);
        to.addProperty("mapsRemoved", mapsRemoved);
    }

    void putSentences(JsonObject to) {
        JsonArray array = new JsonArray();
        sentences.forEach(array::add);
        if (unsaid > 0) {
            array.add(unsaid + " more");
        }
        to.add("problems", array);
        JsonObject held = new JsonObject();
        holders.forEach(held::addProperty);
        to.add("held", held);
    }
}
