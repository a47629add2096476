package io.carillon.node.identity;

import org.springframework.boot.ExitCodeGenerator;

/**
 * Settings the node does not start with. The message is one sentence that names the variable and what is right; never
 * its value. The process ends with status 78 ({@code EX_CONFIG} of sysexits).
 */
public final class UnsafeSettingsException extends RuntimeException implements ExitCodeGenerator {
    private static final long serialVersionUID = 1;

    public UnsafeSettingsException(String sentence) {
        super(sentence);
    }

    @Override
    public int getExitCode() {
        return 78;
    }
}
