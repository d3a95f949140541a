import java.util.StringJoiner;
import org.apache.kafka.common.protocol.Errors;

/** For each error code of the protocol: its number and the classes of its exception, from the narrowest up. */
public class ErrorKinds {
    public static void main(String[] arguments) {
        for (Errors error : Errors.values()) {
            StringJoiner line = new StringJoiner(" ").add(Short.toString(error.code()));
            if (error.exception() != null) {
                Class<?> kind = error.exception().getClass();
                for (; kind != RuntimeException.class; kind = kind.getSuperclass()) {
                    line.add(kind.getSimpleName());
                }
            }
            System.out.println(line);
        }
    }
}
