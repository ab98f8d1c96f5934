use super::splitter::reader;
use super::*;
use csv_core::ReadRecordResult;
use proptest::prelude::*;

/// A record as a test sees it: its fields (none when a quote stays open, for then they mean nothing), its bytes, its
/// line feeds.
type Seen = (Vec<Vec<u8>>, Vec<u8>, usize);

/// Reads a whole file in chunks of the given sizes (the last one again and again), as a streaming caller does.
fn read_in_chunks(file: &[u8], delimiter: Delimiter, chunks: &[usize]) -> (Vec<Seen>, Vec<u8>) {
    let mut splitter = Splitter::new(delimiter);
    let mut sizes = chunks.iter().copied().chain(std::iter::repeat(*chunks.last().unwrap()));
    let (mut from, mut to) = (0, 0);
    let (mut seen, mut all) = (Vec::new(), Vec::new());
    loop {
        let at_end = to == file.len();
        match splitter.split(&file[from..to], at_end) {
            Split::Record(record) => {
                let fields = record.iter().filter(|_| !record.is_unclosed()).map(<[u8]>::to_vec).collect();
                seen.push((fields, record.raw().to_vec(), record.lines()));
                all.extend_from_slice(record.raw());
                from += record.raw().len();
            }
            Split::Blank { len, lines } => {
                let blank = &file[from..from + len];
                assert_eq!(lines, blank.iter().filter(|b| **b == b'\n').count());
                all.extend_from_slice(blank);
                from += len;
            }
            Split::Incomplete => to = (to + sizes.next().unwrap()).min(file.len()),
            Split::TooLong => unreachable!("no test file here is that long"),
            Split::End => return (seen, all),
        }
    }
}

fn fields_of(file: &[u8], delimiter: Delimiter) -> Vec<Vec<String>> {
    let text = |field: Vec<u8>| String::from_utf8(field).unwrap();
    let (records, _) = read_in_chunks(file, delimiter, &[file.len().max(1)]);
    records.into_iter().map(|(fields, ..)| fields.into_iter().map(text).collect()).collect()
}

/// What `csv-core` alone makes of a file, the CR of each line ending taken off as the module's docs say.
fn fields_by_csv_core(file: &[u8], delimiter: Delimiter) -> Vec<Vec<Vec<u8>>> {
    let mut reader = reader(delimiter);
    super::splitter::rewind(&mut reader);
    let (mut records, mut rest) = (Vec::new(), file);
    loop {
        let (mut out, mut ends) = (vec![0; file.len() + 1], vec![0; file.len() + 2]);
        let (mut result, read, written, mut ended) = reader.read_record(rest, &mut out, &mut ends);
        if matches!(result, ReadRecordResult::InputEmpty) {
            let (last, _, more, end) = reader.read_record(&[], &mut out[written..], &mut ends[ended..]);
            assert_eq!(more, 0);
            (result, ended) = (last, ended + end);
        }
        let mut raw = &rest[..read];
        rest = &rest[read..];
        if matches!(result, ReadRecordResult::End) {
            return records;
        }
        while let Some(more) = raw.strip_prefix(b"\n") {
            raw = more; // lines without any byte, which csv-core passes by itself
        }
        let mut from = 0;
        let mut fields: Vec<Vec<u8>> = Vec::new();
        for to in &ends[..ended] {
            fields.push(out[from..*to].to_vec());
            from = *to;
        }
        if raw.strip_suffix(b"\n").unwrap_or(raw).ends_with(b"\r") {
            fields.last_mut().unwrap().pop();
        }
        let blank = raw == b"\r\n" || raw == b"\r";
        if !blank {
            records.push(fields);
        }
    }
}

#[test]
fn a_quoted_field_may_hold_delimiters_line_breaks_and_doubled_quotes() {
    let file = b"a,\"b,1\",c\r\n\"line 1\nline 2\",\"say \"\"no\"\"\",\"\"\r\n";
    assert_eq!(fields_of(file, Delimiter::Comma), [["a", "b,1", "c"], ["line 1\nline 2", "say \"no\"", ""]]);
    let (records, _) = read_in_chunks(file, Delimiter::Comma, &[7]);
    assert_eq!(records.iter().map(|(_, _, lines)| *lines).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_quote_inside_an_unquoted_field_is_an_ordinary_character() {
    assert_eq!(fields_of(b"5\" pipe,\"a\"b\"c,d\n", Delimiter::Comma), [["5\" pipe", "ab\"c", "d"]]);
}

#[test]
fn lines_may_end_with_lf_or_crlf_and_the_last_one_with_nothing() {
    for file in [&b"a,b\nc,d\n"[..], b"a,b\r\nc,d\r\n", b"a,b\nc,d", b"\"a\",b\r\nc,\"d\"", b"a,b\r\nc,d\r"] {
        assert_eq!(fields_of(file, Delimiter::Comma), [["a", "b"], ["c", "d"]], "{file:?}");
    }
    assert_eq!(fields_of(b"a,b\r,\"c\r\"\n", Delimiter::Comma), [["a", "b\r", "c\r"]]);
}

#[test]
fn blank_lines_are_no_records_but_their_bytes_and_lines_count() {
    let file = b"\r\n\na,b\n\n\r\n\nc,d\n\r\n\r";
    let (records, all) = read_in_chunks(file, Delimiter::Comma, &[1]);
    assert_eq!(records.len(), 2);
    assert_eq!(all, file);
    assert_eq!(fields_of(b"\"\"\n,\n", Delimiter::Comma), [vec![""], vec!["", ""]]);
}

#[test]
fn the_header_tells_whether_commas_or_tabs_separate_the_fields() {
    assert_eq!(Delimiter::sniff(b"deviceId,nicId\nx\ty\tz\n"), Delimiter::Comma);
    assert_eq!(Delimiter::sniff(b"\r\ndeviceId\tnicId\r\nx,y,z"), Delimiter::Tab);
    assert_eq!(Delimiter::sniff(b"\"a,b,c\"\tnicId\tscore\n"), Delimiter::Tab);
    assert_eq!(Delimiter::sniff(b"deviceId\n"), Delimiter::Comma);
    assert_eq!(fields_of(b"a\tb,c\t\"d\te\"\n", Delimiter::Tab), [["a", "b,c", "d\te"]]);
}

#[test]
fn a_bom_is_taken_off_the_file_but_stays_in_the_middle_of_one() {
    assert_eq!(strip_bom("\u{feff}a,b".as_bytes()), b"a,b");
    assert_eq!(fields_of("a\n\u{feff}b\n\u{feff}\"c\"\"\"\n".as_bytes(), Delimiter::Comma)[1], ["\u{feff}b"]);
    assert_eq!(foreign_encoding(b"\xff\xfed\0e\0"), Some("UTF-16, little-endian"));
    assert_eq!(foreign_encoding(b"deviceId"), None);
}

#[test]
fn one_row_that_is_not_utf8_is_named_by_its_field_and_leaves_the_others_alone() {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let file = b"x,M\xfcller,y\nu,v,w\n";
    let Split::Record(record) = splitter.split(file, true) else { unreachable!() };
    assert_eq!(record.text().unwrap_err(), NotUtf8 { field: 1 });
    let rest = &file[record.raw().len()..];
    let Split::Record(record) = splitter.split(rest, true) else { unreachable!() };
    assert_eq!(record.text().unwrap().get(2), "w");
}

#[test]
fn a_quote_that_is_never_closed_is_told_at_the_end_of_the_file() {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let file = b"a,\"b,c\nd,e\n";
    assert!(matches!(splitter.split(file, false), Split::Incomplete));
    let Split::Record(record) = splitter.split(file, true) else { unreachable!() };
    assert!(record.is_unclosed());
    assert_eq!((record.raw(), record.lines()), (&file[..], 2));
    let Split::Record(record) = splitter.split(b"a,\"b\"\"\"", true) else { unreachable!() };
    assert!(!record.is_unclosed());
    assert_eq!(record.get(1), Some(&b"b\""[..]));
}

#[test]
fn a_record_of_exactly_one_mebibyte_is_read_and_a_longer_one_is_skipped_whole() {
    let row = |len: usize| [vec![b'x'; len - 2], b"\r\n".to_vec()].concat();
    let mut splitter = Splitter::new(Delimiter::Comma);
    assert!(matches!(splitter.split(&row(MAX_RECORD), false), Split::Record(r) if r.raw().len() == MAX_RECORD));
    assert!(matches!(splitter.split(&row(MAX_RECORD + 1), false), Split::TooLong));
    assert!(matches!(splitter.split(&row(MAX_RECORD + 1)[..MAX_RECORD], false), Split::Incomplete));

    let long = [b"\"".to_vec(), row(MAX_RECORD), b"\"\"\",b\nnext,row\n".to_vec()].concat();
    assert!(matches!(splitter.split(&long, true), Split::TooLong));
    let (mut skipper, mut skipped, mut lines) = (Skipper::new(Delimiter::Comma), 0, 0);
    for chunk in long.chunks(100_000) {
        let Skipped { consumed, lines: more, done, unclosed } = skipper.skip(chunk, false);
        (skipped, lines) = (skipped + consumed, lines + more);
        assert!(!unclosed);
        if done {
            break;
        }
    }
    assert_eq!(&long[skipped..], b"next,row\n");
    assert_eq!(lines, 2);
}

#[test]
fn a_record_of_too_many_fields_is_skipped_like_one_of_too_many_bytes() {
    let row = |fields: usize, field: &str| [vec![field; fields].join(","), "\n".to_owned()].concat().into_bytes();
    let mut splitter = Splitter::new(Delimiter::Comma);
    for field in ["", "\"\"", "\"\"\"\""] {
        assert!(matches!(splitter.split(&row(MAX_FIELDS, field), false), Split::Record(r) if r.len() == MAX_FIELDS));
        assert!(matches!(splitter.split(&row(MAX_FIELDS + 1, field), false), Split::TooLong));
    }
}

#[test]
fn a_skipper_tells_when_an_open_quote_has_swallowed_the_rest_of_the_file() {
    let skip = |chunk: &[u8]| Skipper::new(Delimiter::Comma).skip(chunk, true);
    assert_eq!(skip(b"a,\"b\nc\nd"), Skipped { consumed: 8, lines: 2, done: true, unclosed: true });
    assert_eq!(skip(b"a,\"b\nc\"d"), Skipped { consumed: 8, lines: 1, done: true, unclosed: false });
}

/// Bytes in which everything that matters to a splitter is frequent.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        Just(b','),
        Just(b'\t'),
        Just(b'"'),
        Just(b'"'),
        Just(b'\n'),
        Just(b'\n'),
        Just(b'\r'),
        Just(b'a'),
        Just(0xef_u8),
        Just(0xbb),
        Just(0xbf),
        any::<u8>()
    ];
    proptest::collection::vec(byte, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn wherever_a_file_is_cut_the_same_records_come_out_and_their_bytes_are_the_file(
        file in file(), chunks in proptest::collection::vec(1..9_usize, 1..9)
    ) {
        let (whole, _) = read_in_chunks(&file, Delimiter::Comma, &[file.len().max(1)]);
        let (cut, all) = read_in_chunks(&file, Delimiter::Comma, &chunks);
        prop_assert_eq!(&whole, &cut);
        prop_assert_eq!(all, file);
        for (_, raw, lines) in cut {
            prop_assert_eq!(lines, raw.iter().filter(|b| **b == b'\n').count());
        }
    }

    #[test]
    fn the_short_way_and_csv_core_agree_on_any_bytes(file in file(), tab: bool) {
        let delimiter = if tab { Delimiter::Tab } else { Delimiter::Comma };
        let (records, _) = read_in_chunks(&file, delimiter, &[file.len().max(1)]);
        let fields: Vec<_> = records.into_iter().map(|(fields, ..)| fields).collect();
        let mut expected = fields_by_csv_core(&file, delimiter);
        if fields.last().is_some_and(Vec::is_empty) {
            *expected.last_mut().unwrap() = Vec::new();
        }
        prop_assert_eq!(fields, expected);
    }

    #[test]
    fn what_is_written_reads_back_the_same(
        records in proptest::collection::vec(proptest::collection::vec("[a,\"\r\n\t é]{0,5}", 1..5), 0..5)
    ) {
        let mut file = Vec::new();
        for record in &records {
            write_record(&mut file, record.iter().map(String::as_bytes));
        }
        prop_assert_eq!(fields_of(&file, Delimiter::Comma), records);
    }

    #[test]
    fn a_second_pass_changes_how_fields_are_written_but_not_the_fields(file in file(), tab: bool) {
        let delimiter = if tab { Delimiter::Tab } else { Delimiter::Comma };
        let (mut splitter, mut from, mut out, mut fields) = (Splitter::new(delimiter), 0, Vec::new(), Vec::new());
        loop {
            match splitter.split(&file[from..], true) {
                Split::Record(record) => {
                    from += record.raw().len();
                    if record.is_unclosed() { break; }
                    fields.push(record.iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
                    record.write_csv(&mut out);
                }
                Split::Blank { len, .. } => from += len,
                _ => break,
            }
        }
        let (again, _) = read_in_chunks(&out, Delimiter::Comma, &[out.len().max(1)]);
        prop_assert_eq!(again.into_iter().map(|(fields, ..)| fields).collect::<Vec<_>>(), fields);
    }
}
