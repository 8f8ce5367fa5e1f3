package posted

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/klauspost/compress/zstd"

	"rollcall/internal/evidence/logfile"
)

// mostBody is the most that one post may hold, packed and unpacked.
const mostBody = 8 << 20

// refusal is why a post is not taken, for who posts. It never holds a part of
// what was posted.
type refusal struct {
	status int
	words  string
}

func (r *refusal) Error() string { return r.words }

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

var tooMuch = refuse(http.StatusRequestEntityTooLarge, "a post holds %d MiB at most, packed and unpacked: send fewer lines at a time; nothing of this one was taken", mostBody>>20)

// read is the text of a post.
func read(r *http.Request) ([]byte, error) {
	if r.ContentLength > mostBody {
		return nil, tooMuch
	}
	packed := &counted{from: io.LimitReader(r.Body, mostBody+1)}
	in, err := unpacked(r.Header.Get("Content-Encoding"), packed)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(in, mostBody+1))
	switch {
	case len(text) > mostBody || packed.n > mostBody:
		return nil, tooMuch
	case packed.err != nil && !errors.Is(packed.err, io.EOF):
		return nil, refuse(http.StatusRequestTimeout, "the body ended early, or took longer than %s; nothing of it was taken", bodyTime)
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "the body cannot be unpacked: it is not what Content-Encoding says, or is cut off; nothing of it was taken")
	case packs(text):
		return nil, refuse(http.StatusUnsupportedMediaType, "the body is packed, or text of 16 bits: say how it is packed in Content-Encoding (gzip, deflate, zstd), and post text of 8 bits; nothing of it was taken")
	}
	return text, nil
}

// counted counts what is read, and keeps why that ended.
type counted struct {
	from io.Reader
	n    int
	err  error
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += n
	if err != nil {
		c.err = err
	}
	return n, err
}

func unpacked(how string, from io.Reader) (io.Reader, error) {
	var in io.Reader
	var err error
	switch how {
	case "", "identity":
		return from, nil
	case "gzip", "x-gzip":
		in, err = gzip.NewReader(from)
	case "deflate":
		in, err = zlib.NewReader(from)
	case "zstd":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(mostBody), zstd.WithDecoderMaxWindow(mostBody)); err == nil {
			in = z.IOReadCloser()
		}
	default:
		return nil, refuse(http.StatusUnsupportedMediaType, "Content-Encoding is gzip, deflate, zstd or none; nothing was taken")
	}
	if err != nil {
		return failing{}, nil // read says why
	}
	return in, nil
}

var errPacked = errors.New("cannot be unpacked")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errPacked }

// packs reports whether a text is none of 8 bits.
func packs(text []byte) bool {
	for _, magic := range [][]byte{{0x1f, 0x8b}, {0xfd, '7', 'z', 'X', 'Z', 0}, {0x28, 0xb5, 0x2f, 0xfd}, []byte("BZh"), []byte("PK\x03\x04"), {0xff, 0xfe}, {0xfe, 0xff}} {
		if bytes.HasPrefix(text, magic) {
			return true
		}
	}
	return false
}

// lines are the lines of a text, each with its end, and how many. What shippers
// send as a list in JSON is a line for each of its items.
func lines(contentType string, text []byte) (out []byte, n int, err error) {
	kind, _, _ := mime.ParseMediaType(contentType)
	if first := bytes.TrimLeft(text, " \t\r\n"); kind == "application/json" && bytes.HasPrefix(first, []byte("[")) {
		return items(first)
	}
	out = make([]byte, 0, len(text)+1)
	for all := logfile.NewLines(bytes.NewReader(text)); ; {
		line, _, tooLong, err := all.Next()
		if err != nil {
			return out, n, nil // of bytes it is their end alone
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		out, n = append(out, clean(line)...), n+1
		if tooLong { // it stays one, and is told as such
			out = append(out, bytes.Repeat([]byte{'.'}, logfile.MaxLine+1-len(line))...)
		}
		out = append(out, '\n')
	}
}

func items(text []byte) (out []byte, n int, err error) {
	in := json.NewDecoder(bytes.NewReader(text))
	_, err = in.Token()
	var line bytes.Buffer
	for err == nil && in.More() {
		var item json.RawMessage
		if err = in.Decode(&item); err != nil {
			break
		}
		line.Reset()
		if err = json.Compact(&line, item); err == nil {
			out, n = append(append(out, line.Bytes()...), '\n'), n+1
		}
	}
	if err == nil {
		_, err = in.Token()
	}
	if err == nil && in.More() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, 0, refuse(http.StatusBadRequest, "the body is no list in JSON: post an object a line, or a list of objects; nothing of it was taken")
	}
	return out, n, nil
}
