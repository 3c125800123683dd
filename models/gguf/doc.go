// Package gguf reads the header of a GGUF file: its metadata, its tensor table, and nothing of
// its weights. The format is specified by llama.cpp (ggml/include/gguf.h and docs/gguf.md of
// ggml); versions 2 and 3, little-endian, whole files and split sets are read.
//
// The reader stands between a file of unknown origin and llama.cpp, which allocates what a
// header asks for, compares keys and tensor names pairwise, and ends the process on what it did
// not expect. Therefore
//
//   - every count, length and offset is checked against the bytes that are left in the file and
//     against a limit of this package before anything is allocated or skipped for it;
//   - arrays stay in the file until somebody asks for them, so the memory that Open needs is
//     bounded by a constant (see the limits in limits.go) whatever the header claims;
//   - what this package accepts, the loader of llama.cpp v0.5.0 accepts: tensors are of known
//     types, follow each other without gap or overlap in the order of the table, and end inside
//     the file.
//
// A refused file is named with the reason, the place and what to do about it.
package gguf
