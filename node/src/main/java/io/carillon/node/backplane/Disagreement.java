package io.carillon.node.backplane;

import org.springframework.boot.ExitCodeGenerator;

/**
 * This node cannot share the Redis it was given, however often it tries: another contract, other settings, a server that
 * lacks what is needed. The message is one sentence that names the setting, its value here, and the value there. The
 * process ends with status 78 ({@code EX_CONFIG} of sysexits).
 */
public final class Disagreement extends RuntimeException implements ExitCodeGenerator {
    private static final long serialVersionUID = 1;

    public Disagreement(String sentence) {
        super(sentence);
    }

    @Override
    public int getExitCode() {
        return 78;
    }
}
