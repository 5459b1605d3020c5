package samples

import "testing"

// FuzzCount looks for bodies that crash a counter, that count less than nothing, or more in a part than in the whole.
func FuzzCount(f *testing.F) {
	for _, w := range writes {
		f.Add(w.path, w.contentType, "", []byte(w.body), uint(len(w.body)/2))
	}
	f.Add("/api/v1/write", "", "", []byte(snappyBlock(histograms())), uint(100))
	f.Add("/api/v1/write", "", "zstd", []byte(zstdFrame(f, histograms())), uint(100))
	for encoding, encode := range encodings {
		f.Add("/api/v1/import/prometheus", "", encoding, []byte(encode(f, []byte("a 1\nb 2\n"))), uint(10))
	}
	for path, answer := range answers {
		f.Add(path, "application/json", "", []byte(answer), uint(len(answer)/2))
	}
	f.Fuzz(func(t *testing.T, path, contentType, encoding string, p []byte, size uint) {
		b := body(path, contentType, encoding, string(p))
		for name, count := range map[string]func(Body) (int, error){"written": Written, "read": Read} {
			whole, err := count(b)
			if whole < 0 || err != nil && whole != 0 {
				t.Errorf("%s: %d in all (%v)", name, whole, err)
			}
			part, partErr := count(beginning(b, int(size%uint(len(p)+1))))
			if part < 0 || partErr != nil && part != 0 {
				t.Errorf("%s: %d in a part (%v)", name, part, partErr)
			}
			// A JSON line may turn out bad at its end.
			if jsonLine := b.Path == "/api/v1/import" || b.Path == "/api/v1/export"; err == nil && part > whole && !jsonLine {
				t.Errorf("%s: %d in a part of %d", name, part, whole)
			}
		}
	})
}
