package gguf

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"
)

// sniffBytes is how much of a file is looked at to say what it is: enough for the magic number
// of a tar archive, at byte 257.
const sniffBytes = 512

// signatures are the beginnings of files that people take for models.
var signatures = []struct {
	at     int
	magic  string
	what   string
	advice string
}{
	{0, "PK\x03\x04", "a zip archive or a PyTorch checkpoint", adviceConvert},
	{0, "\x80\x02", "a PyTorch checkpoint", adviceConvert},
	{0, "\x89HDF", "a Keras or HDF5 file", adviceConvert},
	{0, "tjgg", "a model in the GGJT format that llama.cpp used before August 2023", adviceOld},
	{0, "fmgg", "a model in the GGMF format that llama.cpp used before August 2023", adviceOld},
	{0, "lmgg", "a model in the GGML format that llama.cpp used before August 2023", adviceOld},
	{0, "algg", "a LoRA adapter in the GGLA format that llama.cpp used before August 2023", adviceOld},
	{0, "\x1f\x8b", "a gzip archive", adviceUnpack},
	{0, "\x28\xb5\x2f\xfd", "a zstd archive", adviceUnpack},
	{0, "\xfd7zXZ", "an xz archive", adviceUnpack},
	{0, "BZh", "a bzip2 archive", adviceUnpack},
	{0, "7z\xbc\xaf", "a 7z archive", adviceUnpack},
	{0, "Rar!", "a rar archive", adviceUnpack},
	{257, "ustar", "a tar archive", adviceUnpack},
	{0, "\x7fELF", "a Linux program (a llamafile?)", "give the GGUF file that is packed in it"},
	{0, "MZ", "a Windows program (a llamafile?)", "give the GGUF file that is packed in it"},
	{0, "version https://git-lfs", "a Git LFS pointer, not the file it stands for", "run `git lfs pull` in the folder it came from"},
}

const (
	adviceConvert = "convert the model with convert_hf_to_gguf.py of llama.cpp, or download it as GGUF"
	adviceOld     = "download the model as GGUF"
	adviceUnpack  = "unpack it and give the GGUF file in it"
	adviceModel   = "give the GGUF file of a model"
)

// looksLike says what a file that is no GGUF appears to be and what to do about it.
func looksLike(src io.ReaderAt, head []byte, size int64) (what, hint string) {
	for _, s := range signatures {
		if len(head) >= s.at && bytes.HasPrefix(head[s.at:], []byte(s.magic)) {
			return s.what, s.advice
		}
	}
	text := strings.ToLower(strings.TrimLeft(string(head), "\ufeff \t\r\n"))
	switch {
	case isSafetensors(head, size):
		return "a safetensors file", adviceConvert
	case strings.HasPrefix(text, "<!doctype html"), strings.HasPrefix(text, "<html"):
		return "an HTML page saved by a browser", "download the file itself: the page is probably a login, licence or error page"
	case strings.HasPrefix(text, "<?xml"), strings.HasPrefix(text, "<error"):
		return "an XML document", "download the file itself: the document is probably an error message of a server"
	case strings.HasPrefix(text, "{"):
		if blob, ok := ollamaWeights(src, size); ok {
			return "an Ollama manifest", "give the weights it names: blobs/" + blob + " of the same store"
		}
		return "a JSON document", adviceModel
	case len(bytes.Trim(head, "\x00")) == 0:
		return "zeros: a download that was not finished", hintDownload
	case isText(head):
		return "a text file", adviceModel
	}
	return "some other binary file", hintDownload
}

// isSafetensors: a 64-bit header length that fits the file, then the header, a JSON object.
func isSafetensors(head []byte, size int64) bool {
	return len(head) > 9 && head[8] == '{' && binary.LittleEndian.Uint64(head) <= uint64(size)
}

// isText accepts UTF-8 without control characters, cut at an arbitrary byte.
func isText(head []byte) bool {
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && n == 1 && len(head) >= utf8.UTFMax || r < ' ' && !strings.ContainsRune("\t\n\r\f", r) {
			return false
		}
		head = head[n:]
	}
	return true
}

// ollamaWeights returns the blob that holds the weights of an Ollama manifest. A manifest is an
// OCI image manifest whose layer of this media type is the GGUF file; the store names the blob
// like the digest with a dash in place of the colon.
func ollamaWeights(src io.ReaderAt, size int64) (string, bool) {
	const limit = 1 << 16 // manifests have about 1 kB
	var manifest struct {
		Layers []struct {
			MediaType string `json:"mediaType"`
			Digest    string `json:"digest"`
		} `json:"layers"`
	}
	if err := json.NewDecoder(io.NewSectionReader(src, 0, min(size, limit))).Decode(&manifest); err != nil {
		return "", false
	}
	for _, l := range manifest.Layers {
		if l.MediaType == "application/vnd.ollama.image.model" && printable(l.Digest) {
			return Clip(strings.Replace(l.Digest, ":", "-", 1)), true
		}
	}
	return "", false
}
