package org.archipelago.ext;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** A caller whose verbs are a function, and who can go away. */
public final class FakeConsole implements Console {
    private final Map<String, String> environment = new HashMap<>();
    private final StringBuffer out = new StringBuffer();
    private final StringBuffer err = new StringBuffer();
    private final List<List<String>> verbs = new ArrayList<>();
    private volatile Function<List<String>, VerbResult> answer = words -> new VerbResult(Verb.NEEDS_ROOT, "");
    private volatile boolean gone;

    public FakeConsole with(String variable, String value) {
        environment.put(variable, value);
        return this;
    }

    public FakeConsole answering(Function<List<String>, VerbResult> newAnswer) {
        answer = newAnswer;
        return this;
    }

    public void leave() {
        gone = true;
    }

    public String output() {
        return out.toString();
    }

    public String errors() {
        return err.toString();
    }

    public synchronized List<List<String>> verbs() {
        return List.copyOf(verbs);
    }

    @Override
    public Map<String, String> environment() {
        return environment;
    }

    @Override
    public Path directory() {
        return Path.of("/");
    }

    @Override
    public Terminal terminal() {
        return Terminal.NONE;
    }

    @Override
    public void out(String text) {
        out.append(text);
    }

    @Override
    public void err(String text) {
        err.append(text);
    }

    @Override
    public VerbResult verb(List<String> words) {
        synchronized (this) {
            verbs.add(words);
        }
        return answer.apply(words);
    }

    @Override
    public boolean gone() {
        return gone;
    }
}
