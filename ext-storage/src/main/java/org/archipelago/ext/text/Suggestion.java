package org.archipelago.ext.text;

import java.util.Collection;
import java.util.Comparator;

/** Finds the word that was probably meant. */
public final class Suggestion {
    private Suggestion() {}

    /** "; did you mean WORD?", or a full stop where no word is near: the end of a sentence. */
    public static String of(String written, Collection<String> words) {
        int most = Math.max(1, written.length() / 3);
        return words.stream()
            .filter(w -> distance(written, w) <= most || written.length() > 2 && w.startsWith(written))
            .min(Comparator.comparingInt((String w) -> distance(written, w)).thenComparing(Comparator.naturalOrder()))
            .map(w -> "; did you mean " + w + "?").orElse(".");
    }

    /** Insertions, deletions, replacements, and swaps of neighbours, one each. */
    static int distance(String a, String b) {
        int[][] d = new int[a.length() + 1][b.length() + 1];
        for (int i = 0; i <= a.length(); i++) {
            for (int j = 0; j <= b.length(); j++) {
                if (i == 0 || j == 0) {
                    d[i][j] = i + j;
                    continue;
                }
                int other = a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1;
                d[i][j] = Math.min(d[i - 1][j - 1] + other, Math.min(d[i - 1][j], d[i][j - 1]) + 1);
                if (i > 1 && j > 1 && a.charAt(i - 1) == b.charAt(j - 2) && a.charAt(i - 2) == b.charAt(j - 1)) {
                    d[i][j] = Math.min(d[i][j], d[i - 2][j - 2] + 1);
                }
            }
        }
        return d[a.length()][b.length()];
    }
}
