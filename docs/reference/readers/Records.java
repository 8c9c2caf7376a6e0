import com.github.luben.zstd.ZstdInputStream;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.stream.Collectors;
import java.util.zip.GZIPInputStream;

/**
 * Reads a clickstream in Java (11 or later), with com.github.luben:zstd-jni for zstd. In a KCL record processor: for each
 * KinesisClientRecord, copy its data() into a byte[] and take lines(data). The format: docs/reference/records.md.
 *
 * As a program: a record's data in base64 on each line of stdin, an event on each line of stdout; what is damaged is named on
 * stderr, and the exit code is then 3.
 */
public class Records {
    static final int MOST_BYTES = 8 * 1024 * 1024;

    /** The lines that are not blank, in order. Throws IOException for a block that is damaged or too large. */
    public static List<String> lines(byte[] data) throws IOException {
        try (InputStream in = opened(data)) {
            byte[] text = in.readNBytes(MOST_BYTES + 1);
            if (text.length > MOST_BYTES) {
                throw new IOException("a block of more than 8 MiB");
            }
            // not String.lines(), which also ends a line at a lone carriage return
            return Arrays.stream(new String(text, StandardCharsets.UTF_8).split("\n"))
                    .filter(line -> !line.isBlank())
                    .collect(Collectors.toList());
        }
    }

    private static InputStream opened(byte[] data) throws IOException {
        InputStream in = new ByteArrayInputStream(data);
        if (begins(data, 0x28, 0xB5, 0x2F, 0xFD)) {
            return new ZstdInputStream(in);
        }
        return begins(data, 0x1F, 0x8B) ? new GZIPInputStream(in) : in;
    }

    private static boolean begins(byte[] data, int... magic) {
        for (int i = 0; i < magic.length; i++) {
            if (data.length <= i || data[i] != (byte) magic[i]) {
                return false;
            }
        }
        return true;
    }

    public static void main(String[] arguments) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        int damaged = 0;
        int number = 0;
        for (String record = in.readLine(); record != null; record = in.readLine()) {
            number++;
            try {
                lines(Base64.getDecoder().decode(record)).forEach(out::println);
            } catch (IOException error) {
                System.err.println("record " + number + ": " + error.getMessage());
                damaged++;
            }
        }
        out.flush();
        System.exit(damaged == 0 ? 0 : 3);
    }
}
