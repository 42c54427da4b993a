// Enlarges a picture with a file that upconv exported: dotnet run MODEL.onnx IN.ppm OUT.ppm [TILE]
// Needs `dotnet add package Microsoft.ML.OnnxRuntime`.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

public sealed class Picture
{
    public int Height, Width;
    public byte[] Samples; // (height, width, 3)

    public static Picture Read(string path)
    {
        using (var file = new BinaryReader(File.OpenRead(path)))
        {
            var words = new List<string> { "" };
            while (words.Count < 5) // P6 WIDTH HEIGHT 255, and one space
            {
                var letter = file.ReadChar();
                if (!char.IsWhiteSpace(letter)) words[words.Count - 1] += letter;
                else words.Add("");
            }
            if (words[0] != "P6" || words[3] != "255") throw new InvalidDataException(path + " is not a PPM file of 8 bits");
            var picture = new Picture { Width = int.Parse(words[1]), Height = int.Parse(words[2]) };
            picture.Samples = file.ReadBytes(picture.Height * picture.Width * 3);
            return picture;
        }
    }

    public void Write(string path)
    {
        using (var file = File.Create(path))
        {
            var head = Encoding.ASCII.GetBytes($"P6\n{Width} {Height}\n255\n");
            file.Write(head, 0, head.Length);
            file.Write(Samples, 0, Samples.Length);
        }
    }
}

public sealed class Span
{
    public int Start, Stop; // the pixels that the model sees
    public int Keep, KeepStop; // those whose output is kept
}

public static class Upscale
{
    static int RoundUp(int length, int multiple) => (length + multiple - 1) / multiple * multiple;

    // A field that is missing has its default.
    static double Number(JsonElement part, string name, double missing) =>
        part.TryGetProperty(name, out var value) ? value.GetDouble() : missing;

    static bool IsNull(JsonElement part, string name) =>
        !part.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null;

    static JsonElement ContractOf(InferenceSession session)
    {
        if (!session.ModelMetadata.CustomMetadataMap.TryGetValue("upconv.contract", out var text))
            throw new InvalidDataException("the file has no contract");
        var contract = JsonDocument.Parse(text).RootElement;
        var simple = contract.GetProperty("version").GetInt32() == 1 && contract.GetProperty("task").GetString() == "upscale";
        simple = simple && IsNull(contract, "context") && IsNull(contract, "crop");
        foreach (var axis in new[] { "height", "width" })
            simple = simple && Number(contract.GetProperty(axis), "scale", 0) % 1 == 0 && Number(contract.GetProperty(axis), "offset", 0) == 0;
        if (!simple || contract.GetProperty("input").GetProperty("color").GetString() != "rgb")
            throw new InvalidDataException("this sample is too simple for the file");
        return contract;
    }

    // Cuts one axis into tiles of about `tile` pixels. A tile is the whole axis if the model has no finite halo.
    static List<Span> Spans(int length, string axis, JsonElement contract, string first, string last, int tile)
    {
        var law = contract.GetProperty(axis);
        var multiple = (int)Number(law, "multiple", 1);
        var least = RoundUp((int)Number(law, "minimum", 1), multiple);
        var padded = Math.Max(RoundUp(length, multiple), least);
        var averages = contract.TryGetProperty("statistics", out var statistics) && statistics.GetArrayLength() > 0;
        if (averages || IsNull(contract, "halo") || !contract.GetProperty("halo").TryGetProperty(first, out var _))
            return new List<Span> { new Span { Start = 0, Stop = padded, Keep = 0, KeepStop = length } };
        var halo = contract.GetProperty("halo");
        var before = RoundUp(halo.GetProperty(first).GetInt32(), multiple);
        var after = RoundUp(halo.GetProperty(last).GetInt32(), multiple);
        var step = RoundUp(tile, multiple);
        var found = new List<Span>();
        for (var keep = 0; keep < length; keep += step)
        {
            var stop = Math.Min(Math.Max(keep + step + after, least), padded);
            var start = Math.Max(Math.Min(keep - before, stop - least), 0);
            found.Add(new Span { Start = start, Stop = stop, Keep = keep, KeepStop = Math.Min(keep + step, length) });
        }
        return found;
    }

    public static void Main(string[] words)
    {
        var tile = words.Length > 3 ? int.Parse(words[3]) : 256;
        using (var options = new SessionOptions())
        {
            options.AddSessionConfigEntry("session.x64quantprecision", "1"); // without it, int8 is wrong on processors without VNNI
            Run(words, tile, options);
        }
    }

    static void Run(string[] words, int tile, SessionOptions options)
    {
        using (var session = new InferenceSession(words[0], options))
        {
            var contract = ContractOf(session);
            var picture = Picture.Read(words[1]);
            var scaleY = (int)Number(contract.GetProperty("height"), "scale", 1);
            var scaleX = (int)Number(contract.GetProperty("width"), "scale", 1);
            var low = (float)Number(contract.GetProperty("input"), "low", 0);
            var high = (float)Number(contract.GetProperty("input"), "high", 1);
            var black = (float)Number(contract.GetProperty("output"), "low", 0);
            var white = (float)Number(contract.GetProperty("output"), "high", 1);
            var larger = new Picture { Height = picture.Height * scaleY, Width = picture.Width * scaleX };
            larger.Samples = new byte[larger.Height * larger.Width * 3];
            foreach (var rows in Spans(picture.Height, "height", contract, "top", "bottom", tile))
            foreach (var columns in Spans(picture.Width, "width", contract, "left", "right", tile))
            {
                int height = rows.Stop - rows.Start, width = columns.Stop - columns.Start;
                var values = new DenseTensor<float>(new[] { 1, 3, height, width });
                for (var channel = 0; channel < 3; channel++)
                for (var y = 0; y < height; y++)
                for (var x = 0; x < width; x++)
                {
                    var row = Math.Min(rows.Start + y, picture.Height - 1); // the last pixel repeated
                    var column = Math.Min(columns.Start + x, picture.Width - 1);
                    var sample = picture.Samples[(row * picture.Width + column) * 3 + channel];
                    values[0, channel, y, x] = low + (high - low) * sample / 255;
                }
                var input = NamedOnnxValue.CreateFromTensor(session.InputMetadata.Keys.First(), values);
                using (var results = session.Run(new[] { input }))
                {
                    var result = results.First().AsTensor<float>();
                    for (var channel = 0; channel < 3; channel++)
                    for (var y = rows.Keep * scaleY; y < rows.KeepStop * scaleY; y++)
                    for (var x = columns.Keep * scaleX; x < columns.KeepStop * scaleX; x++)
                    {
                        var value = result[0, channel, y - rows.Start * scaleY, x - columns.Start * scaleX];
                        var sample = Math.Round((value - black) / (white - black) * 255);
                        larger.Samples[(y * larger.Width + x) * 3 + channel] = (byte)Math.Min(Math.Max(sample, 0), 255);
                    }
                }
            }
            larger.Write(words[2]);
            Console.WriteLine($"{contract.GetProperty("name").GetString()}: {larger.Width}x{larger.Height}");
        }
    }
}
