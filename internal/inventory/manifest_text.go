package inventory

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// plainText is a manifest as UTF-8 with line feeds, whatever Excel, PowerShell
// or an editor wrote it in. encoding names that, for messages. What cannot be
// told without guessing is a problem: an account whose name is read in the
// wrong encoding is another account.
func (t *table) plainText(raw []byte) (text, encoding string) {
	encoding = "UTF-8"
	switch order := utf16Order(raw); {
	case order != nil:
		encoding, raw = "UTF-16", fromUTF16(raw, order)
	case bytes.IndexByte(raw, 0) >= 0:
		t.problem(0, "holds zero bytes, so it is neither UTF-8 nor UTF-16 text; %s", asUTF8)
		return "", encoding
	}
	text = string(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")))
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, "\r", "\n") // Excel's "CSV (Macintosh)"
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		switch {
		case !utf8.ValidString(line):
			t.problem(n, "is not UTF-8 (Latin-1 or Windows-1252, it seems): a name would be read as another one; %s", asUTF8)
			return "", encoding
		case strings.ContainsRune(line, utf8.RuneError):
			t.problem(n, "a character was lost when the file was saved (U+FFFD stands in its place): correct it in the file's source; %s", asUTF8)
			return "", encoding
		}
	}
	return text, encoding
}

const asUTF8 = `save it as "CSV UTF-8" (Excel), with Export-Csv -Encoding utf8 (PowerShell), or convert it with iconv -t UTF-8`

// utf16Order is the byte order if raw is UTF-16: by its byte order mark, or
// because every other byte of its first characters, which name columns, is
// zero.
func utf16Order(raw []byte) binary.ByteOrder {
	switch {
	case len(raw) < 4 || len(raw)%2 != 0:
		return nil
	case raw[0] == 0xff && raw[1] == 0xfe && (raw[2] != 0 || raw[3] != 0), raw[1] == 0 && raw[3] == 0 && raw[0] != 0 && raw[2] != 0:
		return binary.LittleEndian
	case raw[0] == 0xfe && raw[1] == 0xff, raw[0] == 0 && raw[2] == 0 && raw[1] != 0 && raw[3] != 0:
		return binary.BigEndian
	}
	return nil
}

func fromUTF16(raw []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, 0, len(raw)/2)
	for i := 0; i+1 < len(raw); i += 2 {
		units = append(units, order.Uint16(raw[i:]))
	}
	if len(units) > 0 && units[0] == 0xfeff {
		units = units[1:]
	}
	return []byte(string(utf16.Decode(units)))
}
