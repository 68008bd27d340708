// The settings of the augmentation of training images (see fields.h).
#pragma once

#include "config/section.h"
#include "config/traits.h"
#include "lockstep/data/options.h"

namespace lockstep {

template <class Visit>
void fields(Visit& visit, EraseOptions& erase) {
  auto& [probability, side_pixels, smallest_area, largest_area] = erase;
  visit("probability", probability, "of an image to have a rectangle erased", from(0, 1));
  visit("side_pixels", side_pixels, "of the square, cut to the image; 0: by area",
        from(0, kMaxImageSide));
  visit("smallest_area", smallest_area,
        "of the rectangle, as a part of the image's; uniform from this", from(0, 1));
  visit("largest_area", largest_area,
        "to this; sides in a ratio from 1/3 to 3, its logarithm uniform", from(0, 1));
}

template <class Visit>
void fields(Visit& visit, AugmentationOptions& augmentation) {
  auto& [rotation_degrees, translation_pixels, scale, flip, crop_padding_pixels, erase, brightness,
         contrast, mixup_alpha, cutmix_alpha] = augmentation;
  visit("rotation_degrees", rotation_degrees, "training images: angle uniform in ± this",
        from(0, 180));
  visit("translation_pixels", translation_pixels,
        "training images: shift of each axis uniform in ± this",
        Traits().as("number ≥ 0, below the shorter side"));
  visit("scale", scale, "training images: size uniform in 1 ± this", fraction());
  visit("flip", flip, "training images: probability that left and right are swapped", from(0, 1));
  visit("crop_padding_pixels", crop_padding_pixels,
        "training images: a crop of the same size, uniform in the image with such a margin",
        at_least(0).as("≥ 0, below the shorter side"));
  visit.optional("erase", "Erase", erase,
                 "training images: a rectangle is set to the mean of the training rows");
  visit("brightness", brightness,
        "training images: factor of all values above black, uniform in 1 ± this", from(0, 1));
  visit("contrast", contrast,
        "training images: factor of the distance from the mean of the training rows, uniform in "
        "1 ± this",
        from(0, 1));
  visit("mixup_alpha", mixup_alpha,
        "two samples of a lane are added, and their labels in the same parts (mixup): the first "
        "has a part of Beta(a, a), 0: 1; 0.2 is usual",
        at_least(0));
  visit("cutmix_alpha", cutmix_alpha,
        "a rectangle of one sample is pasted into another of the lane, the labels have the parts "
        "of the areas (CutMix), drawn from Beta(a, a); with `mixup_alpha` each has one of the two; "
        "1 is usual",
        at_least(0));
}

}  // namespace lockstep
