package io.carillon.node.identity;

import java.util.Locale;

/** Why a credential was refused: the closed set behind the metric {@code carillon.auth.failures}. */
enum Reason {
    /** The request brought no credential. */
    NONE,
    /** A credential of another kind than a bearer token, or one in a place where it is not accepted. */
    SCHEME,
    /** Not a token: wrong parts, characters or JSON. */
    MALFORMED,
    TOO_LONG,
    /** An algorithm outside the configured family, {@code none} and encryption included. */
    ALG,
    /** The token demands an extension ({@code crit}). */
    CRIT,
    /** No such key, or one of the wrong kind. */
    KEY,
    SIGNATURE,
    EXPIRED,
    NOT_YET,
    /** A claim is missing or of the wrong form. */
    CLAIMS,
    SUB,
    ISSUER,
    AUDIENCE,
    /** A ticket that is unknown, used or too old. */
    TICKET,
    /** A refresh for somebody else. */
    USER,
    API_KEY,
    /** An activation code that is none. */
    CODE,
    /** A malformed request parameter. */
    PARAMETER,
    /** It could not be found out: Redis or the key set is away. */
    UNAVAILABLE;

    private final String word = name().toLowerCase(Locale.ROOT);

    String word() {
        return word;
    }

    Verdict.Refused refuse(String sentence) {
        int status = switch (this) {
            case PARAMETER -> 400;
            case UNAVAILABLE -> 503;
            case USER -> 403;
            default -> 401;
        };
        return new Verdict.Refused(status, sentence, word);
    }
}
