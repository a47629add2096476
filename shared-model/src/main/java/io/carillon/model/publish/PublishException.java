package io.carillon.model.publish;

/**
 * Redis did not take the event, or its answer got lost: whether it was published is not known. Publish it again with the
 * same {@link #id}: on a durable way it is one event then.
 */
public final class PublishException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final String id;

    PublishException(String id, String sentence, Throwable cause) {
        super(sentence, cause);
        this.id = id;
    }

    /** The event's id, to repeat it with. */
    public String id() {
        return id;
    }
}
