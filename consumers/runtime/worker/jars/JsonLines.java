package clickstream;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.StackTraceElementProxy;
import ch.qos.logback.core.LayoutBase;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Map;

/** The daemon's log as the shard processes and the supervisor write theirs: a JSON object a line (clickstream.telemetry.logs). */
public class JsonLines extends LayoutBase<ILoggingEvent> {
    private static final int MOST_FRAMES = 3;

    private final ObjectMapper mapper = new ObjectMapper();

    @Override
    public String doLayout(ILoggingEvent event) {
        IThrowableProxy thrown = event.getThrowableProxy();
        if (isOrderlyEnd(thrown)) {
            return "";
        }
        Map<String, String> line = new LinkedHashMap<>();
        line.put("logger", "kcl." + event.getLoggerName().replaceFirst(".*\\.", ""));
        if (thrown != null) {
            line.put("exception", told(thrown));
        }
        line.put("event", event.getFormattedMessage());
        line.put("level", event.getLevel() == Level.WARN ? "warning" : event.getLevel().toString().toLowerCase());
        line.put("timestamp", Instant.ofEpochMilli(event.getTimeStamp()).truncatedTo(ChronoUnit.MILLIS).toString());
        try {
            return mapper.writeValueAsString(line) + "\n";
        } catch (JsonProcessingException error) {
            throw new IllegalStateException(error);
        }
    }

    /**
     * What KCL calls an error once a second although all is well: while it drains, its scheduler runs on without what it has
     * closed; a shard that has ended waits for the other parent of its child.
     */
    private static boolean isOrderlyEnd(IThrowableProxy thrown) {
        return thrown != null
                && ("LeaderDecider uninitialized".equals(thrown.getMessage())
                        || thrown.getClassName().endsWith(".BlockedOnParentShardException"));
    }

    /** A failure and its causes, each with where it was thrown. */
    private static String told(IThrowableProxy thrown) {
        StringBuilder told = new StringBuilder(thrown.getClassName() + ": " + thrown.getMessage());
        StackTraceElementProxy[] frames = thrown.getStackTraceElementProxyArray();
        for (int at = 0; at < Math.min(MOST_FRAMES, frames.length); at++) {
            told.append(" ").append(frames[at].getSTEAsString());
        }
        return thrown.getCause() == null ? told.toString() : told + "; " + told(thrown.getCause());
    }
}
