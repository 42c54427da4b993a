// Enlarges a picture with a file that upconv exported: upscale MODEL.onnx IN.ppm OUT.ppm [TILE]
// Needs onnxruntime and nlohmann/json: g++ -std=c++17 upscale.cpp -lonnxruntime -o upscale
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

using nlohmann::json;

struct Picture {
    int64_t height, width;
    std::vector<uint8_t> samples;  // (height, width, 3)
};

struct Span {
    int64_t start, stop;      // the pixels that the model sees
    int64_t keep, keep_stop;  // those whose output is kept
};

Picture read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string magic;
    int64_t width = 0, height = 0, largest = 0;
    file >> magic >> width >> height >> largest;
    file.get();
    if (!file || magic != "P6" || largest != 255) throw std::runtime_error(path + " is not a PPM file of 8 bits");
    Picture picture{height, width, std::vector<uint8_t>(height * width * 3)};
    file.read(reinterpret_cast<char*>(picture.samples.data()), picture.samples.size());
    return picture;
}

void write(const std::string& path, const Picture& picture) {
    std::ofstream file(path, std::ios::binary);
    file << "P6\n" << picture.width << " " << picture.height << "\n255\n";
    file.write(reinterpret_cast<const char*>(picture.samples.data()), picture.samples.size());
}

json contract_of(const Ort::Session& session) {
    Ort::AllocatorWithDefaultOptions allocator;
    auto text = session.GetModelMetadata().LookupCustomMetadataMapAllocated("upconv.contract", allocator);
    if (!text) throw std::runtime_error("the file has no contract");
    json contract = json::parse(text.get());
    auto none = [&](const char* field) { return !contract.contains(field) || contract[field].is_null(); };
    bool simple = contract["version"] == 1 && contract["task"] == "upscale" && none("context") && none("crop");
    for (const char* axis : {"height", "width"}) {
        double scale = contract[axis]["scale"];
        simple = simple && scale == std::floor(scale) && contract[axis].value("offset", 0) == 0;
    }
    if (!simple || contract["input"].value("color", "rgb") != "rgb") throw std::runtime_error("this sample is too simple for the file");
    return contract;
}

int64_t round_up(int64_t length, int64_t multiple) { return (length + multiple - 1) / multiple * multiple; }

// Cuts one axis into tiles of about `tile` pixels. A tile is the whole axis if the model has no finite halo.
std::vector<Span> spans(int64_t length, const json& law, const json& contract, const char* first, const char* last, int64_t tile) {
    const int64_t multiple = law.value("multiple", 1), least = round_up(law.value("minimum", 1), multiple);
    const int64_t padded = std::max(round_up(length, multiple), least);
    const json halo = contract.value("halo", json());
    const bool tiled = halo.is_object() && halo.contains("top") && contract.value("statistics", json::array()).empty();
    if (!tiled) return {{0, padded, 0, length}};
    const int64_t before = round_up(halo[first], multiple), after = round_up(halo[last], multiple), step = round_up(tile, multiple);
    std::vector<Span> found;
    for (int64_t keep = 0; keep < length; keep += step) {
        const int64_t stop = std::min(std::max(keep + step + after, least), padded);
        const int64_t start = std::max<int64_t>(std::min(keep - before, stop - least), 0);
        found.push_back({start, stop, keep, std::min(keep + step, length)});
    }
    return found;
}

int main(int count, char** words) try {
    if (count < 4) throw std::runtime_error("upscale MODEL.onnx IN.ppm OUT.ppm [TILE]");
    const int64_t tile = count > 4 ? std::stoll(words[4]) : 256;
    Ort::Env environment;
    Ort::SessionOptions options;
    options.AddConfigEntry("session.x64quantprecision", "1");  // without it, int8 is wrong on processors without VNNI
    Ort::Session session(environment, words[1], options);
    const json contract = contract_of(session);
    const Picture picture = read(words[2]);
    const int64_t scale_y = contract["height"]["scale"].get<double>(), scale_x = contract["width"]["scale"].get<double>();
    const float low = contract["input"].value("low", 0.0f), high = contract["input"].value("high", 1.0f);
    const float black = contract["output"].value("low", 0.0f), white = contract["output"].value("high", 1.0f);
    Picture larger{picture.height * scale_y, picture.width * scale_x, {}};
    larger.samples.resize(larger.height * larger.width * 3);

    Ort::AllocatorWithDefaultOptions allocator;
    const auto input = session.GetInputNameAllocated(0, allocator), output = session.GetOutputNameAllocated(0, allocator);
    const char *inputs[] = {input.get()}, *outputs[] = {output.get()};
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    for (const Span& rows : spans(picture.height, contract["height"], contract, "top", "bottom", tile))
        for (const Span& columns : spans(picture.width, contract["width"], contract, "left", "right", tile)) {
            const int64_t height = rows.stop - rows.start, width = columns.stop - columns.start;
            std::vector<float> values(3 * height * width);
            for (int64_t channel = 0; channel < 3; ++channel)
                for (int64_t y = 0; y < height; ++y)
                    for (int64_t x = 0; x < width; ++x) {
                        const int64_t row = std::min(rows.start + y, picture.height - 1);  // the last pixel repeated
                        const int64_t column = std::min(columns.start + x, picture.width - 1);
                        const uint8_t sample = picture.samples[(row * picture.width + column) * 3 + channel];
                        values[(channel * height + y) * width + x] = low + (high - low) * sample / 255;
                    }
            const std::vector<int64_t> shape{1, 3, height, width};
            auto tensor = Ort::Value::CreateTensor<float>(memory, values.data(), values.size(), shape.data(), shape.size());
            const auto results = session.Run(Ort::RunOptions(), inputs, &tensor, 1, outputs, 1);
            const float* result = results[0].GetTensorData<float>();
            for (int64_t channel = 0; channel < 3; ++channel)
                for (int64_t y = rows.keep * scale_y; y < rows.keep_stop * scale_y; ++y)
                    for (int64_t x = columns.keep * scale_x; x < columns.keep_stop * scale_x; ++x) {
                        const int64_t row = y - rows.start * scale_y, column = x - columns.start * scale_x;
                        const float value = result[(channel * height * scale_y + row) * width * scale_x + column];
                        const float sample = std::round((value - black) / (white - black) * 255);
                        larger.samples[(y * larger.width + x) * 3 + channel] = std::clamp(sample, 0.0f, 255.0f);
                    }
        }
    write(words[3], larger);
    std::cout << contract["name"].get<std::string>() << ": " << larger.width << "x" << larger.height << "\n";
} catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
}
